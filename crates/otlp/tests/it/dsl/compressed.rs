//! Bodies as clients compress them.

use std::io::Write;

/// The three ways that are read.
pub const ENCODINGS: [&str; 3] = ["gzip", "deflate", "zstd"];

/// `times` the bytes of `part`, compressed one after the other.
pub fn compressed(encoding: &str, part: &[u8], times: usize) -> Vec<u8> {
    let write = |to: &mut dyn Write| (0..times).for_each(|_| to.write_all(part).expect("room"));
    match encoding {
        "gzip" => {
            let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            write(&mut to);
            to.finish().expect("room")
        }
        "deflate" => {
            let mut to = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            write(&mut to);
            to.finish().expect("room")
        }
        "zstd" => {
            let mut to = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
            write(&mut to);
            to.finish().expect("room")
        }
        _ => panic!("no encoding: {encoding}"),
    }
}
