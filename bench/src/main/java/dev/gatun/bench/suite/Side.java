package dev.gatun.bench.suite;

import java.util.List;

/** One peer's way to compute a case, with its inputs in place: it can be run again and again. */
public interface Side extends AutoCloseable {

    /** Prepares the calling thread to run, until the result is closed: threads and kernels are chosen thread by thread. */
    Entered enter();

    /** Computes once. What is made on the way is handed back. */
    Object run();

    /** Computes once and reads everything that the peers must agree about. */
    List<float[]> values();

    @Override
    void close();

    /** Ends what {@link Side#enter} began. */
    interface Entered extends AutoCloseable {
        @Override
        void close();
    }
}
