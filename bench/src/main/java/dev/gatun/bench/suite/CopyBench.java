package dev.gatun.bench.suite;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Memory to memory by the JDK, each thread between 64 MiB of its own: the roof of all that waits for memory. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class CopyBench {

    private static final long BYTES = 64L << 20;

    /** Read and written by one call. */
    static final double TRAFFIC = 2.0 * BYTES;

    private Arena arena;
    private MemorySegment from;
    private MemorySegment to;

    @Setup
    public void setup() {
        arena = Arena.ofConfined();
        from = arena.allocate(BYTES, 64).fill((byte) 1);
        to = arena.allocate(BYTES, 64).fill((byte) 2);
    }

    @TearDown
    public void close() {
        arena.close();
    }

    @Benchmark
    public MemorySegment copy() {
        return to.copyFrom(from);
    }
}
