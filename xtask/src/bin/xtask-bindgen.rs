//! `xtask-bindgen MODULE.wasm FOLDER NAME`: the JavaScript side of a wasm-bindgen module.
//!
//! The library is pinned to the very version of the `wasm-bindgen` crate, so the two always agree.
#![forbid(unsafe_code)]

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, folder, name] = args.as_slice() else {
        eprintln!("usage: xtask-bindgen MODULE.wasm FOLDER NAME");
        std::process::exit(2);
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(input).out_name(name).typescript(true).omit_default_module_path(true);
    let made = bindgen.web(true).and_then(|bindgen| bindgen.generate(folder));
    if let Err(error) = made {
        eprintln!("wasm-bindgen: {error:#}");
        std::process::exit(1);
    }
}
