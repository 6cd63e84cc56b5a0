//! The greenlets of the package greenlet, and of gevent, whose own derive from them.

use super::{Inspector, TypeInfo, Unreadable};
use crate::addr::Address;
use crate::layout::{Abi, Field, LayoutRegistry, PackageLayout};
use crate::report::GreenletState;

/// How many greenlets are looked at to find the table that fits.
const SAMPLED: usize = 64;
/// `stack_stop` of the greenlet that a thread begins with.
const MAIN_STOP: Address = Address(u64::MAX);

/// A greenlet's part of the native stack: from `start` to `stop`, of which the first `saved` bytes are kept at `copy`
/// while others use their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SavedStack {
    pub(crate) start: Address,
    pub(crate) stop: Address,
    pub(crate) copy: Address,
    pub(crate) saved: u64,
}

impl SavedStack {
    /// Where the bytes are that belong to an address of this stack.
    pub(crate) fn place_of(&self, at: Address) -> Address {
        let offset = at.0.wrapping_sub(self.start.0);
        if at >= self.start && offset < self.saved { self.copy.add(offset) } else { at }
    }
}

/// What a greenlet holds.
#[derive(Clone, Debug)]
pub(crate) struct GreenletFields {
    /// How far it has come.
    pub(crate) state: GreenletState,
    /// Whether it is what its thread began with.
    pub(crate) main: bool,
    /// Its native stack.
    pub(crate) stack: SavedStack,
    /// Its innermost frame, a `PyFrameObject`, while it is suspended.
    pub(crate) top_frame: Address,
    /// What it will run, while it is not started.
    pub(crate) run: Address,
    /// The greenlet that goes on when it ends.
    pub(crate) parent: Address,
}

impl Inspector<'_> {
    /// Whether instances of a class are greenlets.
    ///
    /// # Errors
    /// Missing bytes.
    pub(crate) fn is_greenlet_class(&self, class: &TypeInfo) -> Result<bool, Unreadable> {
        Ok(self.base_named(class, "greenlet.greenlet")?.is_some())
    }

    /// The table of greenlet's structs that fits these greenlets best.
    ///
    /// # Errors
    /// None fits.
    pub(crate) fn greenlet_table(&self, greenlets: &[Address]) -> Result<PackageLayout, Unreadable> {
        let mut best: Option<(usize, &PackageLayout)> = None;
        let registry = LayoutRegistry::new();
        // Its structs are of pointers alone, so they are the same in every data model.
        for table in registry.tables_of("greenlet", Abi::Lp64) {
            if !table.is_of_python(self.layout.python) {
                continue;
            }
            let sample = greenlets.iter().take(SAMPLED);
            let fits = sample.map(|&greenlet| self.greenlet_fit(table, greenlet)).sum::<Option<usize>>();
            if let Some(proofs) = fits.filter(|&proofs| best.is_none_or(|(most, _)| proofs > most)) {
                best = Some((proofs, table));
            }
        }
        best.map(|(_, table)| table.clone()).ok_or_else(|| Unreadable::Nonsense {
            at: greenlets.first().copied().unwrap_or_default(),
            what: "no table for greenlet fits its objects".to_owned(),
        })
    }

    /// How many pointers lead where they should; `None` where one does not.
    fn greenlet_fit(&self, table: &PackageLayout, greenlet: Address) -> Option<usize> {
        let class = self.shape_of(greenlet).ok()?;
        let base = self.base_named(&class, "greenlet.greenlet").ok()??;
        if base.basic_size != i64::from(table.structs.PyGreenlet.size_of) {
            return None;
        }
        let state = self.greenlet_state(table, greenlet).ok()?;
        let layout = &table.structs.GreenletState;
        let own = layout.self_object;
        if own.exists() && self.pointer(state, own).ok()? != greenlet {
            return None;
        }
        let stack = self.saved_stack(table, state).ok()?;
        let is_sane = stack.start <= stack.stop || stack.stop.is_null();
        if !is_sane || stack.saved > stack.stop.0.wrapping_sub(stack.start.0) {
            return None;
        }
        let mut proofs = 1;
        let frame = self.pointer(state, layout.top_frame).ok()?;
        if !frame.is_null() {
            proofs += usize::from(self.type_of(frame).ok()?.name == "frame");
        }
        if stack.stop != MAIN_STOP {
            for field in [layout.main_greenlet, layout.parent].into_iter().filter(Field::exists) {
                let other = self.pointer(state, field).ok()?;
                if !other.is_null() {
                    if !self.is_greenlet_class(&*self.shape_of(other).ok()?).ok()? {
                        return None;
                    }
                    proofs += 1;
                }
            }
        }
        Some(proofs)
    }

    /// Where the state of a greenlet lies: from greenlet 2.0 on apart from the object.
    fn greenlet_state(&self, table: &PackageLayout, greenlet: Address) -> Result<Address, Unreadable> {
        let pimpl = table.structs.PyGreenlet.pimpl;
        if pimpl.exists() { self.non_null(greenlet, pimpl) } else { Ok(greenlet) }
    }

    fn saved_stack(&self, table: &PackageLayout, state: Address) -> Result<SavedStack, Unreadable> {
        let layout = &table.structs.GreenletState;
        Ok(SavedStack {
            start: self.pointer(state, layout.stack_start)?,
            stop: self.pointer(state, layout.stack_stop)?,
            copy: self.pointer(state, layout.stack_copy)?,
            saved: self.uint(state, layout.stack_saved)?,
        })
    }

    /// Reads a greenlet. `PyGreenlet_STARTED` and `PyGreenlet_ACTIVE` tell from its stack how far it has come.
    ///
    /// # Errors
    /// Missing bytes.
    pub(crate) fn greenlet(
        &self,
        table: &PackageLayout,
        greenlet: Address,
    ) -> Result<GreenletFields, Unreadable> {
        let layout = &table.structs.GreenletState;
        let at = self.greenlet_state(table, greenlet)?;
        let stack = self.saved_stack(table, at)?;
        let top_frame = self.pointer(at, layout.top_frame)?;
        let main = stack.stop == MAIN_STOP;
        let state = if stack.stop.is_null() {
            GreenletState::Unstarted
        } else if stack.start.is_null() {
            GreenletState::Dead
        } else if top_frame.is_null() && stack.saved == 0 {
            GreenletState::Running
        } else {
            GreenletState::Suspended
        };
        Ok(GreenletFields {
            state,
            main,
            stack,
            top_frame: if state == GreenletState::Suspended { top_frame } else { Address::NULL },
            run: match state {
                GreenletState::Unstarted => self.pointer(at, layout.run)?,
                _ => Address::NULL,
            },
            parent: if main { Address::NULL } else { self.pointer(at, layout.parent)? },
        })
    }

    /// The name that a program or gevent gave to a greenlet: the attribute `name`, else what gevent makes of
    /// `minimal_ident` (src/gevent/greenlet.py), where either was ever asked for.
    ///
    /// # Errors
    /// Missing bytes.
    pub(crate) fn greenlet_name(&self, greenlet: Address) -> Result<Option<String>, Unreadable> {
        if let Some(name) = self.attribute(greenlet, "name")?
            && self.is_str_object(name)?
        {
            return Ok(Some(self.string(name)?));
        }
        match self.attribute(greenlet, "minimal_ident")? {
            Some(ident) if self.type_of(ident)?.is_int() => {
                Ok(Some(format!("Greenlet-{}", self.big_int(ident)?)))
            }
            _ => Ok(None),
        }
    }
}
