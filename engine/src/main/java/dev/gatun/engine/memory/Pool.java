package dev.gatun.engine.memory;

/** Where blocks come from and go back to. */
public interface Pool {

    /**
     * A block of at least {@code bytes}. Its content is arbitrary.
     *
     * @param holds what will lie there, for the message when memory runs out
     * @throws MemoryException when there is no more
     */
    Block take(long bytes, Object holds);

    /** Takes a block back. The caller must not touch it again. */
    void give(Block block);
}
