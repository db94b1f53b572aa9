package dev.gatun.bench.suite;

/** Who computes a row. */
public enum Peer {
    /** Our own kernels: the Vector API, no library. */
    GATUN("gatun", ""),
    /** The same engine with oneDNN's kernels wherever it has one. */
    ONEDNN("onednn", "no kernel"),
    /** Eager libtorch, as it is shipped. */
    TORCH("libtorch", "nothing like it"),
    /** Eager libtorch with a library preloaded. */
    PRELOADED("libtorch, preloaded", "nothing like it");

    private final String title;
    private final String none;

    Peer(String title, String none) {
        this.title = title;
        this.none = none;
    }

    /** What a cell says where this peer has nothing to run. */
    public String none() {
        return none;
    }

    /** Whether it is libtorch, in one form or the other. */
    boolean torch() {
        return this == TORCH || this == PRELOADED;
    }

    @Override
    public String toString() {
        return title;
    }
}
