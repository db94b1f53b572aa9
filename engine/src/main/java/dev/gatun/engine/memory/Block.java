package dev.gatun.engine.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A piece of memory, 64-byte aligned, that a pool hands out again and again. */
public final class Block {

    private final MemorySegment segment;
    private final long bytes;
    private final Arena own;
    final int sizeClass;
    long returnedAt;
    Object holds;

    Block(MemorySegment segment, int sizeClass, Arena own) {
        this.segment = segment;
        this.bytes = segment.byteSize();
        this.own = own;
        this.sizeClass = sizeClass;
    }

    /** Memory of a device: an address that the host cannot follow. */
    Block(long address, long bytes, int sizeClass) {
        this.segment = MemorySegment.ofAddress(address);
        this.bytes = bytes;
        this.own = null;
        this.sizeClass = sizeClass;
    }

    /** All bytes of the block, at least as many as were asked for; of a device's memory only its address. */
    public MemorySegment segment() {
        return segment;
    }

    /** Size of the block. */
    public long bytes() {
        return bytes;
    }

    /** Gives the memory of a block with an arena of its own back to the system. */
    void release() {
        own.close();
    }
}
