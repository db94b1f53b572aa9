package dev.gatun.ops.sequence;

/**
 * Which keys a query sees, as far as positions say: query i stands at position i + offset, a causal one sees no key
 * after its own, and with a window only the last {@code window} keys up to its own and the first {@code prefix} ones.
 */
record Sight(long offset, boolean causal, long window, long prefix) {

    boolean sees(long query, long key) {
        long position = query + offset;
        return (!causal || key <= position) && (window == 0 || key > position - window || key < prefix);
    }

    /** The first query that may see a key. */
    long from(long key) {
        return causal ? key - offset : 0;
    }

    /** The query after the last that sees a key. */
    long to(long key) {
        return window == 0 || key < prefix ? Long.MAX_VALUE : key - offset + window;
    }

    /** The key after the last that queries up to {@code lastQuery} see. */
    long end(long lastQuery, long keys) {
        return causal ? Math.clamp(lastQuery + offset + 1, 0, keys) : keys;
    }

    /** The first key from {@code tile} on, a multiple of {@code side}, whose tile queries from {@code firstQuery} on may see. */
    long next(long tile, long firstQuery, long side) {
        long inWindow = window == 0 ? 0 : Math.max(0, firstQuery + offset - window + 1);
        return tile < prefix ? tile : Math.max(tile, inWindow / side * side);
    }

    /** Whether some of these queries see some of these keys. */
    boolean some(long query, long endQuery, long key, long endKey) {
        return from(key) < endQuery && (key < prefix || to(endKey - 1) > query);
    }

    /** Whether all of these queries see all of these keys. */
    boolean all(long query, long endQuery, long key, long endKey) {
        return (!causal || from(endKey - 1) <= query) && (endKey <= prefix || to(Math.max(key, prefix)) >= endQuery);
    }
}
