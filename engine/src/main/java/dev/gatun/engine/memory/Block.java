package dev.gatun.engine.memory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A piece of off-heap memory, 64-byte aligned, that the pool hands out again and again. */
public final class Block {

    private final MemorySegment segment;
    private final Arena own;
    final int sizeClass;
    long returnedAt;

    Block(MemorySegment segment, int sizeClass, Arena own) {
        this.segment = segment;
        this.sizeClass = sizeClass;
        this.own = own;
    }

    /** All bytes of the block; at least as many as were asked for. */
    public MemorySegment segment() {
        return segment;
    }

    /** Gives the memory of a block with an arena of its own back to the system. */
    void release() {
        own.close();
    }
}
