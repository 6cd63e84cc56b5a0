//! The modules of the process.

use super::directory::Streams;
use super::linux::DELETED;
use crate::addr::Address;
use crate::process::{Module, OperatingSystem, PdbId, PeIdentity};
use minidump::format::{
    CV_INFO_PDB70, CvSignature, MINIDUMP_MODULE, MINIDUMP_STREAM_TYPE, VS_FFI_SIGNATURE, VS_FIXEDFILEINFO,
};
use scroll::{LE, Pread};

/// How many modules are told apart.
const MAX_MODULES: usize = 1 << 14;
/// The longest CodeView record that is read, in bytes: it has one path.
const MAX_RECORD: usize = 1 << 16;

/// All modules: the main program, which every writer of minidumps lists first, then by address.
pub(super) fn read(streams: &Streams<'_>, os: OperatingSystem) -> Vec<Module> {
    let raw: Vec<MINIDUMP_MODULE> = streams.list(MINIDUMP_STREAM_TYPE::ModuleListStream, MAX_MODULES);
    let mut modules: Vec<_> = raw.iter().map(|raw| module(streams, raw, os)).collect();
    if let Some(others) = modules.get_mut(1..) {
        others.sort_by_key(|module| module.base);
    }
    modules
}

fn module(streams: &Streams<'_>, raw: &MINIDUMP_MODULE, os: OperatingSystem) -> Module {
    let record = streams.at(&raw.cv_record);
    let record = record.get(..record.len().min(MAX_RECORD)).unwrap_or_default();
    let record = if streams.may_keep(record.len() as u64) { record } else { &[] };
    let is = |signature: CvSignature| record.starts_with(&(signature as u32).to_le_bytes());
    let path = streams.string(raw.module_name_rva.into()).unwrap_or_else(|| {
        streams.warn(format!("the name of the module at {:#x} is not in the dump", raw.base_of_image));
        String::new()
    });
    let identity = || PeIdentity {
        timestamp: raw.time_date_stamp,
        size: raw.size_of_image,
        checksum: raw.checksum,
        file_version: file_version(&raw.version_info),
        pdb: is(CvSignature::Pdb70).then(|| pdb(record)).flatten(),
    };
    let on_disk = path.strip_suffix(DELETED).filter(|_| os == OperatingSystem::Linux);
    Module {
        deleted: on_disk.is_some(),
        path: on_disk.map(str::to_owned).unwrap_or(path),
        base: Address(raw.base_of_image),
        end: Address(raw.base_of_image.saturating_add(raw.size_of_image.into())),
        build_id: is(CvSignature::Elf).then(|| record.get(4..).unwrap_or_default().to_vec()),
        pe: (os == OperatingSystem::Windows).then(identity),
    }
}

fn file_version(version: &VS_FIXEDFILEINFO) -> Option<[u16; 4]> {
    let parts = [version.file_version_hi, version.file_version_lo]
        .map(|word| [(word >> 16) as u16, (word & 0xffff) as u16])
        .concat();
    (version.signature == VS_FFI_SIGNATURE).then(|| parts.try_into().ok()).flatten()
}

fn pdb(record: &[u8]) -> Option<PdbId> {
    const GUID: usize = 4;
    let guid = *record.get(GUID..)?.first_chunk()?;
    let pdb: CV_INFO_PDB70 = record.pread_with(0, LE).ok()?;
    let path = pdb.pdb_file_name.split(|&byte| byte == 0).next().unwrap_or_default();
    Some(PdbId { guid, age: pdb.age, path: String::from_utf8_lossy(path).into_owned() })
}
