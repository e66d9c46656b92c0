//! What libxenvchan leaves unset, set.
//!
//! `libxenvchan_server_init` (Xen 4.17, `tools/libs/vchan/init.c`) takes its structure from
//! `malloc` and sets only some of it. When it fails before the rest is set it calls
//! `libxenvchan_close`, which gives `free` and `munmap` pointers that were never written; and
//! whether reading blocks is one of the bits that are never written at all.
//!
//! There is no way to give the library memory. But the C library of Debian hands out again what the
//! same thread gave back last, so blocks of the structure's size are taken, zeroed and given back
//! right before the call: with zeros there, closing does nothing it must not, and reading does not
//! block. Nothing else rests on this: descriptors are made non-blocking, and neither reading nor
//! writing is asked for more than there is (`ring`).

use std::hint::black_box;

/// More blocks than a thread's cache of one size holds (7 in glibc).
const BLOCKS: usize = 16;

/// Zeroes the blocks that this thread's next allocations of the size of `struct libxenvchan` get.
pub(crate) fn zero_next_allocation() {
    // 88 bytes since Xen 4.14, 80 before; both are served from one size class, and the
    // neighbours cost nothing.
    zero::<72>();
    zero::<88>();
    zero::<104>();
}

fn zero<const SIZE: usize>() {
    let blocks: Vec<Box<[u8; SIZE]>> = (0..BLOCKS).map(|_| Box::new([0xFF; SIZE])).collect();
    for mut block in black_box(blocks) {
        block.fill(0);
        // Else the compiler may see that nobody reads the zeros.
        drop(black_box(block));
    }
}
