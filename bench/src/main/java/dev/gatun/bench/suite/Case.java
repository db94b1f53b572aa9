package dev.gatun.bench.suite;

import java.io.IOException;
import java.util.List;

/** A row of the table: something that peers compute from the same numbers. */
public interface Case {

    /** What the row belongs to: elementwise, products, layers. */
    String group();

    /** What is computed, with its sizes; no two of a group are alike. */
    String name();

    /** Group and name: what a filter is matched with. */
    default String id() {
        return group() + "/" + name();
    }

    /** Who has a way to compute it; whether the library is on the machine is another question. */
    List<Peer> peers();

    /** Additions, multiplications and functions of one run, as the mathematics counts them; a fused multiply-add is two. */
    double flops();

    /** Bytes that one run has to read and write at least, given what it computes. */
    double bytes(List<float[]> values);

    /** How far peers may be apart, as a part of the largest number. */
    double tolerance();

    /** Puts one peer's inputs in place. */
    Side open(Peer peer, int threads) throws IOException;
}
