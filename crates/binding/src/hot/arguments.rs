//! The arguments of a raw callback, taken one by one with every status checked. A wrong type is an error record, never a
//! crash: unlike `napi_get_buffer_info`, the calls used here check what they are given.

#![allow(unsafe_code, reason = "raw Node-API values")]

use std::ptr;

use napi::sys;

use crate::{
    environment::slab::Handle,
    error::{ErrorRecord, Failure},
    hot::pool::Pool,
    number::safe_integer,
};

/// The `N` arguments of one call; those that were left out are `undefined`.
pub(crate) struct Arguments<const N: usize> {
    env: sys::napi_env,
    values: [sys::napi_value; N],
}

impl<const N: usize> Arguments<N> {
    /// The arguments and the data pointer of the callback.
    ///
    /// # Safety
    ///
    /// `env` and `info` are those of the running callback, and the result is not used after it.
    pub(crate) unsafe fn of(
        env: sys::napi_env,
        info: sys::napi_callback_info,
    ) -> Option<(Self, *mut std::ffi::c_void)> {
        let mut values = [ptr::null_mut(); N];
        let mut count = N;
        let mut data = ptr::null_mut();
        // SAFETY: room for `count` values; the data pointer is ours.
        let status = unsafe {
            sys::napi_get_cb_info(env, info, &raw mut count, values.as_mut_ptr(), ptr::null_mut(), &raw mut data)
        };
        (status == sys::Status::napi_ok).then_some((Self { env, values }, data))
    }

    fn value(&self, place: usize) -> sys::napi_value {
        self.values.get(place).copied().unwrap_or(ptr::null_mut())
    }

    fn raw_number(&self, place: usize) -> Option<f64> {
        let mut number = 0.0;
        // SAFETY: a value of the running call; a null or another type is refused by its status.
        let status = unsafe { sys::napi_get_value_double(self.env, self.value(place), &raw mut number) };
        (status == sys::Status::napi_ok).then_some(number)
    }

    pub(crate) fn number(&self, place: usize, name: &'static str) -> Result<f64, Failure> {
        self.raw_number(place).ok_or_else(|| ErrorRecord::invalid(name, "a number is needed"))
    }

    /// An integer from 0 to 2^53 - 1.
    pub(crate) fn integer(&self, place: usize, name: &'static str) -> Result<u64, Failure> {
        safe_integer(self.number(place, name)?)
            .ok_or_else(|| ErrorRecord::invalid(name, "an integer from 0 to 2^53 - 1 is needed"))
    }

    pub(crate) fn index(&self, place: usize, name: &'static str) -> Result<usize, Failure> {
        usize::try_from(self.integer(place, name)?).map_err(|_| ErrorRecord::invalid(name, "the number is too large"))
    }

    /// 0 or 1, or a boolean. Asked for as a number first: the calls that are made most often say it so.
    pub(crate) fn flag(&self, place: usize, name: &'static str) -> Result<bool, Failure> {
        if let Some(number) = self.raw_number(place) {
            return match safe_integer(number) {
                Some(0) => Ok(false),
                Some(1) => Ok(true),
                _ => Err(ErrorRecord::invalid(name, "0 or 1 is needed")),
            };
        }
        let mut flag = false;
        // SAFETY: a value of the running call; a null or another type is refused by its status.
        let status = unsafe { sys::napi_get_value_bool(self.env, self.value(place), &raw mut flag) };
        if status == sys::Status::napi_ok { Ok(flag) } else { Err(ErrorRecord::invalid(name, "0 or 1 is needed")) }
    }

    pub(crate) fn handle(&self, place: usize, name: &'static str) -> Result<Handle, Failure> {
        Ok(Handle::from_number(self.number(place, name)?))
    }

    /// The bytes of a Buffer or another `Uint8Array`. A detached one is empty.
    pub(crate) fn bytes(&self, place: usize, name: &'static str) -> Result<Pool, Failure> {
        self.typed_array(place, sys::TypedarrayType::uint8_array, 1, ptr::null_mut())
            .ok_or_else(|| ErrorRecord::invalid(name, "a Buffer or Uint8Array is needed"))
    }

    pub(crate) fn float64s(&self, place: usize, name: &'static str) -> Result<Pool, Failure> {
        self.typed_array(place, sys::TypedarrayType::float64_array, 8, ptr::null_mut())
            .ok_or_else(|| ErrorRecord::invalid(name, "a Float64Array is needed"))
    }

    /// Bytes that no other thread can change while the call runs: memory that is shared is refused. Those of an `ArrayBuffer` are
    /// found with fewer calls than those of a `Uint8Array`.
    pub(crate) fn own_bytes(&self, place: usize, name: &'static str) -> Result<Pool, Failure> {
        if self.is_own_memory(self.value(place)) {
            return self.memory(place, name);
        }
        let mut memory = ptr::null_mut();
        let bytes = self
            .typed_array(place, sys::TypedarrayType::uint8_array, 1, &raw mut memory)
            .ok_or_else(|| ErrorRecord::invalid(name, "a Buffer or Uint8Array is needed"))?;
        if self.is_own_memory(memory) {
            Ok(bytes)
        } else {
            Err(ErrorRecord::invalid(name, "shared memory is not taken"))
        }
    }

    /// Whether it is an `ArrayBuffer`, and so not shared with other threads.
    fn is_own_memory(&self, memory: sys::napi_value) -> bool {
        let mut is_own = false;
        // SAFETY: a value of the running call, or one that Node just made in its scope; a null is refused by its status.
        let status = unsafe { sys::napi_is_arraybuffer(self.env, memory, &raw mut is_own) };
        status == sys::Status::napi_ok && is_own
    }

    fn typed_array(
        &self,
        place: usize,
        wanted: sys::napi_typedarray_type,
        element_bytes: usize,
        memory: *mut sys::napi_value,
    ) -> Option<Pool> {
        let mut kind = 0;
        let mut elements = 0;
        let mut data = ptr::null_mut();
        // SAFETY: a value of the running call, refused by its status when it is no typed array; the results are ours, and
        // `memory` is null or a place of ours.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                self.env,
                self.value(place),
                &raw mut kind,
                &raw mut elements,
                &raw mut data,
                memory,
                ptr::null_mut(),
            )
        };
        if status != sys::Status::napi_ok || kind != wanted {
            return None;
        }
        let len = if data.is_null() { 0 } else { elements.checked_mul(element_bytes)? };
        // SAFETY: Node's own account of the array. No JavaScript runs before the callback returns, so it stays true.
        Some(unsafe { Pool::new(data.cast(), len) })
    }

    /// The bytes of an `ArrayBuffer`, which are found with fewer calls than those of a `Uint8Array`; that is taken, too.
    pub(crate) fn memory(&self, place: usize, name: &'static str) -> Result<Pool, Failure> {
        let mut data = ptr::null_mut();
        let mut len = 0;
        // SAFETY: a value of the running call, refused by its status when it is no `ArrayBuffer`; the results are ours.
        let status =
            unsafe { sys::napi_get_arraybuffer_info(self.env, self.value(place), &raw mut data, &raw mut len) };
        if status != sys::Status::napi_ok {
            return self.bytes(place, name);
        }
        // SAFETY: Node's own account of the memory. No JavaScript runs before the callback returns, so it stays true.
        Ok(unsafe { Pool::new(data.cast(), if data.is_null() { 0 } else { len }) })
    }

    /// A string of these bytes, which are UTF-8.
    pub(crate) fn text(&self, bytes: &[u8]) -> Result<sys::napi_value, Failure> {
        const MAX_TEXT_BYTES: u64 = (1 << 29) - 24;
        let too_long = || ErrorRecord::limit("a string cannot be so long", "text", bytes.len() as u64, MAX_TEXT_BYTES);
        let len = isize::try_from(bytes.len()).map_err(|_| too_long())?;
        let create = if bytes.is_ascii() { sys::napi_create_string_latin1 } else { sys::napi_create_string_utf8 };
        let mut text = ptr::null_mut();
        // SAFETY: the running call's environment; `len` bytes are read.
        let status = unsafe { create(self.env, bytes.as_ptr().cast(), len, &raw mut text) };
        if status == sys::Status::napi_ok { Ok(text) } else { Err(too_long()) }
    }
}
