//! What a measurement has to say of where it was made: machine, versions, commit, data.

use anyhow::Result;
use serde_json::Value;

use super::lab::Lab;
use super::lines::number;

/// As lines of a list.
pub(super) fn describe(lab: &Lab, is_quick: bool) -> Result<String> {
    let lines = lab.script("machine.py", &[])?;
    let machine = lines.event("machine")?;
    let commit = lab.commit().map_or_else(
        || "an unknown commit".to_owned(),
        |(commit, changed)| format!("commit {commit}{}", if changed { " with changes" } else { "" }),
    );
    let (inputs, size) = (&lab.inputs, lab.size);
    let how = if is_quick { "a quick run, too short to be quoted" } else { "a full run" };
    Ok([
        format!("- {}, {commit}: {how}.", text(machine, "date")),
        format!("- {}", of_machine(machine, lab.threads)),
        format!("- {}.", of_versions(machine)),
        format!(
            "- Data: {}, {} training, {} validation and {} test rows, tasks {}; {} sentences to encode.",
            lab.data,
            inputs.train_rows,
            inputs.valid_rows,
            inputs.test_rows,
            inputs.tasks.join(" and "),
            inputs.sentences
        ),
        format!(
            "- {} rounds ({} of whole runs); a round of training is {} steps.",
            size.rounds, size.long_rounds, size.steps
        ),
    ]
    .join("\n"))
}

fn of_machine(machine: &Value, threads: usize) -> String {
    let flags = machine.get("flags").and_then(Value::as_array);
    let flags: Vec<&str> = flags.into_iter().flatten().filter_map(Value::as_str).collect();
    let memory =
        number(machine, "memory_gb").map_or_else(|_| String::new(), |gb| format!(", {gb} GB of memory"));
    let flags = if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) };
    let cores = number(machine, "cores").unwrap_or(0.0);
    format!(
        "{}{flags}, {cores} cores{memory}, {}; {threads} threads.",
        text(machine, "processor"),
        text(machine, "system")
    )
}

fn of_versions(machine: &Value) -> String {
    let versions = machine.get("versions").and_then(Value::as_object);
    let libraries = versions
        .into_iter()
        .flatten()
        .map(|(library, version)| format!("{library} {}", version.as_str().unwrap_or("?")));
    let python = format!("Python {}", text(machine, "python"));
    std::iter::once(python).chain(libraries).collect::<Vec<_>>().join(", ")
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_described_with_what_is_known() {
        let machine = serde_json::json!({
            "processor": "Some CPU", "cores": 2, "flags": ["avx2", "avx512f"], "memory_gb": 24.6,
            "system": "Linux x86_64", "python": "3.11.7", "versions": {"torch": "2.11.0"},
        });
        assert_eq!(
            of_machine(&machine, 2),
            "Some CPU (avx2, avx512f), 2 cores, 24.6 GB of memory, Linux x86_64; 2 threads."
        );
        assert_eq!(of_versions(&machine), "Python 3.11.7, torch 2.11.0");
        assert_eq!(of_machine(&serde_json::json!({"cores": 8}), 4), "?, 8 cores, ?; 4 threads.");
    }
}
