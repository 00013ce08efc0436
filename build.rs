//! Tells the linker where libtorch lies: beside the program in a bundle, in `.libtorch` in a checkout.

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let libtorch = std::env::var("LIBTORCH").unwrap_or_default();
    match os.as_str() {
        "linux" => {
            // CUDA is opened at run time, so only what is really used may be named in the binary.
            println!("cargo:rustc-link-arg=-Wl,--as-needed");
            println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/lib");
            println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
        }
        "macos" => {
            println!("cargo:rustc-link-arg=-Wl,-rpath,@executable_path/lib");
            println!("cargo:rustc-link-arg=-Wl,-rpath,{libtorch}/lib");
        }
        _ => {}
    }
}
