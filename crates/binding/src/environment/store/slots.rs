//! The collections of a store by their slot, the number by which the hot calls name them.

use ledgerstone_canonical_store::{CollectionRef, Error};

use crate::{
    environment::store::StoreEntry,
    error::{ErrorRecord, Failure},
};

impl StoreEntry {
    /// The number of a collection; the same for the same names.
    pub(crate) fn slot(&self, name: String, key_codec: String, value_codec: String) -> Result<usize, Failure> {
        let names = (name, key_codec, value_codec);
        if let Some(slot) = self.slot_names.borrow().get(&names) {
            return Ok(*slot);
        }
        let collection = self.handle.collection(&names.0, &names.1, &names.2)?;
        let mut slots = self.slots.borrow_mut();
        slots.push(collection);
        self.slot_names.borrow_mut().insert(names, slots.len() - 1);
        Ok(slots.len() - 1)
    }

    #[inline]
    pub(crate) fn with_slot<R>(
        &self,
        slot: usize,
        work: impl FnOnce(&CollectionRef) -> Result<R, Error>,
    ) -> Result<R, Failure> {
        let slots = self.slots.borrow();
        let collection =
            slots.get(slot).ok_or_else(|| ErrorRecord::invalid("slot", "there is no such collection slot"))?;
        Ok(work(collection)?)
    }
}
