//! Tells the linker where libtorch lies: beside the program in a package, and in `.libtorch` in a checkout as well.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let package = match std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default().as_str() {
        "linux" => {
            // CUDA is opened at run time, so only what is really used may be named in the binary.
            println!("cargo:rustc-link-arg=-Wl,--as-needed");
            "$ORIGIN/lib"
        }
        "macos" => "@executable_path/lib",
        _ => return,
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{package}");
    if std::env::var_os("CARGO_FEATURE_DEV_PATHS").is_none() {
        return;
    }
    // A path that is relative or empty would be searched from whatever folder the program is started in.
    match std::env::var("LIBTORCH") {
        Ok(libtorch) if Path::new(&libtorch).is_absolute() => {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
        }
        Ok(libtorch) if !libtorch.is_empty() => {
            println!(
                "cargo:warning=LIBTORCH is not an absolute path, so the program will not look there: {libtorch}"
            );
        }
        _ => {}
    }
}
