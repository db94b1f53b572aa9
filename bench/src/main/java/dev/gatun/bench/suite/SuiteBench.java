package dev.gatun.bench.suite;

import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** What {@link Fork} has JMH measure: one side of one row at a time, in a process that all sides share. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class SuiteBench {

    static volatile Side side;

    private Side mine;
    private Side.Entered entered;

    @Setup
    public void setup() {
        mine = side;
        entered = mine.enter();
    }

    @TearDown
    public void close() {
        entered.close();
    }

    @Benchmark
    public Object run() {
        return mine.run();
    }
}
