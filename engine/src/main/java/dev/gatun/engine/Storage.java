package dev.gatun.engine;

import dev.gatun.engine.memory.Block;
import dev.gatun.engine.memory.Pool;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;

/**
 * The memory behind a tensor and its views. A scope closes it by marking this object, not the
 * block: whoever still holds it fails at the next op, even when the block is in use again.
 */
final class Storage {

    private static final Cleaner CLEANER = Cleaner.create();

    private final MemorySegment segment;
    private final Block block;
    private final Pool pool;
    private Scope owner;
    private volatile String closedScope;
    private Cleaner.Cleanable net; // what hands the block back when nobody holds this any more

    private Storage(MemorySegment segment, Block block, Pool pool) {
        this.segment = segment;
        this.block = block;
        this.pool = pool;
    }

    /** Memory for these numbers from a pool, owned by this scope or, if it is null, by the garbage collector. */
    static Storage take(Spec spec, Pool pool, Scope owner) {
        Block block = pool.take(spec.bytes(), spec);
        Storage storage = new Storage(block.segment(), block, pool);
        storage.ownedBy(owner);
        return storage;
    }

    /** Memory of somebody else, such as a mapped file; it lives as long as its arena. */
    static Storage borrowed(MemorySegment segment) {
        return new Storage(segment, null, null);
    }

    /** All bytes, not checked; of a device's memory only the address. */
    MemorySegment segment() {
        return segment;
    }

    /** What lies from a byte on, likewise. */
    MemorySegment from(long offset) {
        boolean elsewhere = segment.byteSize() == 0;
        return offset == 0 ? segment : elsewhere ? MemorySegment.ofAddress(segment.address() + offset) : segment.asSlice(offset);
    }

    /** How much memory it is. */
    long bytes() {
        return block == null ? segment.byteSize() : block.bytes();
    }

    /** Name of the scope that closed this storage, or null while it is open. */
    String closedScope() {
        return closedScope;
    }

    Scope owner() {
        return owner;
    }

    /** Hands this storage to a scope; to none means to the garbage collector. */
    void ownedBy(Scope scope) {
        if (block == null) {
            return;
        }
        owner = scope;
        if (scope != null) {
            scope.add(this);
        } else if (net == null) {
            Block returned = block;
            Pool home = pool;
            net = CLEANER.register(this, () -> home.give(returned));
        }
    }

    /** Ends the storage and hands its block back. */
    void close(String scopeName) {
        if (closedScope == null) {
            closedScope = scopeName;
            if (net == null) {
                pool.give(block);
            } else {
                net.clean();
            }
        }
    }
}
