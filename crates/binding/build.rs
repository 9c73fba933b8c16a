//! Links the addon as Node expects it.

fn main() {
    napi_build::setup();
    // A worker that unloads the library while one of our threads still runs in it would crash the process.
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("gnu")
        && std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux")
    {
        println!("cargo:rustc-link-arg-cdylib=-Wl,-z,nodelete");
    }
}
