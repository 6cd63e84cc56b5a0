//! Each codec: whole, behind each other, around each other, cut, damaged, too large.

use super::*;
use std::io::{Cursor, Read as _};
use std::os::unix::fs::MetadataExt;

const CODECS: [Codec; 5] = [Codec::Zstd, Codec::Lz4, Codec::Xz, Codec::Gzip, Codec::Bzip2];

fn pack(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    match codec {
        Codec::Zstd => packed = zstd::encode_all(bytes, 1).unwrap(),
        Codec::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut packed);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap();
        }
        Codec::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut encoder = lzma_rust2::XzWriter::new(&mut packed, options).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap();
        }
        Codec::Gzip => {
            flate2::read::GzEncoder::new(bytes, flate2::Compression::fast())
                .read_to_end(&mut packed)
                .unwrap();
        }
        Codec::Bzip2 => {
            bzip2::read::BzEncoder::new(bytes, bzip2::Compression::fast()).read_to_end(&mut packed).unwrap();
        }
    }
    packed
}

fn unpacked(packed: &[u8]) -> Unpacked {
    unpack(Cursor::new(packed), Rules::default()).unwrap()
}

fn contents(mut unpacked: Unpacked) -> Vec<u8> {
    let mut bytes = Vec::new();
    unpacked.file.rewind().unwrap();
    unpacked.file.read_to_end(&mut bytes).unwrap();
    bytes
}

fn sample() -> Vec<u8> {
    let mut bytes = vec![0; 3 << 20];
    for (index, byte) in bytes.iter_mut().enumerate().filter(|(index, _)| index % (1 << 19) < 50_000) {
        *byte = ((index * 2_654_435_761) >> 7) as u8 | 1;
    }
    bytes.extend([9; 77]);
    bytes
}

#[test]
fn zeros_take_no_room() {
    let bytes = sample();
    for codec in CODECS {
        let packed = pack(codec, &bytes);
        let unpacked = unpacked(&packed);
        assert_eq!(unpacked.cut, None, "{codec:?}");
        assert_eq!((unpacked.size, unpacked.packed_size), (bytes.len() as u64, packed.len() as u64));
        assert!(unpacked.file.metadata().unwrap().blocks() * 512 < 1 << 19);
        assert!(contents(unpacked) == bytes, "{codec:?}");
    }
}

#[test]
fn what_is_not_packed_is_copied() {
    let unpacked = unpacked(&sample());
    assert_eq!(unpacked.cut, None);
    assert!(contents(unpacked) == sample());
}

#[test]
fn members_behind_each_other_are_one_file() {
    for codec in CODECS {
        let both = [pack(codec, b"one"), pack(codec, b"two")].concat();
        let unpacked = unpacked(&both);
        assert_eq!(unpacked.cut, None, "{codec:?}");
        assert_eq!(contents(unpacked), b"onetwo", "{codec:?}");
    }
}

#[test]
fn frames_that_hold_nothing_are_skipped() {
    let skippable = [&b"\x5e\x2a\x4d\x18\x03\0\0\0abc"[..]].concat();
    for codec in [Codec::Zstd, Codec::Lz4] {
        let parts = [pack(codec, b"one"), skippable.clone(), pack(codec, b"two"), skippable.clone()];
        assert_eq!(contents(unpacked(&parts.concat())), b"onetwo");
    }
    let first = [skippable, pack(Codec::Zstd, b"one")].concat();
    assert!(is_packed(&first));
    assert_eq!(contents(unpacked(&first)), b"one");
}

#[test]
fn what_follows_the_last_member_is_passed_over() {
    for codec in CODECS {
        for behind in [&[0; 12][..], b"not packed at all"] {
            let unpacked = unpacked(&[pack(codec, b"one"), behind.to_vec()].concat());
            assert_eq!(unpacked.cut, None, "{codec:?}");
            assert_eq!(contents(unpacked), b"one", "{codec:?}");
        }
    }
}

#[test]
fn codecs_around_each_other_are_undone() {
    let bytes = sample();
    for outer in CODECS {
        let packed = pack(outer, &pack(Codec::Gzip, &pack(Codec::Zstd, &bytes)));
        assert!(contents(unpacked(&packed)) == bytes, "{outer:?}");
    }
    let mut often = bytes;
    for _ in 0..=MAX_LAYERS {
        often = pack(Codec::Gzip, &often);
    }
    assert_eq!(Codec::of(&contents(unpacked(&often))), Some(Codec::Gzip));
}

#[test]
fn a_cut_or_damaged_stream_gives_what_it_has() {
    let mut bytes = Vec::new();
    for _ in 0..4 {
        bytes.extend(sample());
    }
    for codec in CODECS {
        let whole = pack(codec, &bytes);
        let half = unpacked(&whole[..whole.len() / 2]);
        assert!(half.cut.as_ref().unwrap().contains("cut off"), "{codec:?}");
        let got = contents(half);
        assert!(got.len() > bytes.len() / 4 && bytes.starts_with(&got), "{codec:?}: {}", got.len());
        let last = unpacked(&whole[..whole.len() - 1]);
        assert!(last.cut.is_some(), "{codec:?}");
    }
}

#[test]
fn a_stream_cut_anywhere_is_known_to_be_cut() {
    let bytes = &sample()[..300_000];
    for codec in CODECS {
        let whole = pack(codec, bytes);
        for cut in (1..whole.len()).filter(|cut| *cut < 100 || cut + 50 > whole.len() || cut % 997 == 0) {
            match unpack(Cursor::new(&whole[..cut]), Rules::default()) {
                Ok(part) if is_packed(&whole[..cut]) => assert!(part.cut.is_some(), "{codec:?} cut at {cut}"),
                Ok(part) => assert_eq!(part.size, cut as u64),
                Err(problem) => {
                    assert!(matches!(problem, OpenProblem::Unpack { codec: of, .. } if of == codec));
                }
            }
        }
    }
}

#[test]
fn no_more_than_the_limit_is_unpacked() {
    for codec in CODECS {
        let whole = pack(codec, &vec![0; 10 << 20]);
        let limited = |limit| unpack(Cursor::new(&whole), Rules { limit: Some(limit), ..Rules::default() });
        assert!(
            matches!(limited((10 << 20) - 1), Err(OpenProblem::UnpacksTooLarge { limit: 10_485_759 })),
            "{codec:?}"
        );
        assert!(limited(10 << 20).is_ok(), "{codec:?}");
    }
}

/// A frame's header may ask for gigabytes of window or dictionary.
#[test]
fn a_header_cannot_ask_for_much_memory() {
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    zstd.window_log(29).unwrap();
    zstd.write_all(&sample()).unwrap();
    let mut xz_options = lzma_rust2::XzOptions::with_preset(0);
    xz_options.lzma_options.dict_size = 1 << 29;
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), xz_options).unwrap();
    xz.write_all(b"small").unwrap();
    for packed in [zstd.finish().unwrap(), xz.finish().unwrap()] {
        let problem = unpack(Cursor::new(packed), Rules::default()).err();
        assert!(matches!(problem, Some(OpenProblem::Unpack { .. })), "{problem:?}");
    }
}
