package dev.gatun.engine;

import dev.gatun.engine.memory.Block;
import dev.gatun.engine.memory.HostPool;
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
    private Scope owner;
    private volatile String closedScope;
    private boolean cleaned;

    private Storage(MemorySegment segment, Block block) {
        this.segment = segment;
        this.block = block;
    }

    /** Memory for {@code bytes} from the pool, owned by the current scope or, without one, by the garbage collector. */
    static Storage take(long bytes) {
        return take(bytes, Scope.current());
    }

    /** Memory for {@code bytes} from the pool, owned by this scope or, if it is null, by the garbage collector. */
    static Storage take(long bytes, Scope owner) {
        Block block = HostPool.shared().take(bytes);
        Storage storage = new Storage(block.segment(), block);
        storage.ownedBy(owner);
        return storage;
    }

    /** Memory of somebody else, such as a mapped file; it lives as long as its arena. */
    static Storage borrowed(MemorySegment segment) {
        return new Storage(segment, null);
    }

    /** All bytes, not checked. */
    MemorySegment segment() {
        return segment;
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
        } else if (!cleaned) {
            cleaned = true;
            Block returned = block;
            CLEANER.register(this, () -> HostPool.shared().give(returned));
        }
    }

    /** Ends the storage and hands its block back. */
    void close(String scopeName) {
        if (closedScope == null) {
            closedScope = scopeName;
            HostPool.shared().give(block);
        }
    }
}
