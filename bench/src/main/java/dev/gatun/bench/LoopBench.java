package dev.gatun.bench;

import static dev.gatun.engine.DType.F32;

import dev.gatun.engine.lanes.Access;
import dev.gatun.engine.lanes.Expr;
import dev.gatun.engine.lanes.LaneCompiler;
import dev.gatun.engine.lanes.Lanes;
import dev.gatun.engine.lanes.Loop;
import dev.gatun.engine.lanes.Rows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Emitted elementwise loops beside the same loops written by hand. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(value = 5, jvmArgsAppend = {"--add-modules", "jdk.incubator.vector"})
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 3, time = 1)
public class LoopBench {

    private static final VectorSpecies<Float> S = Lanes.F32;
    private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
    private static final Expr X = Expr.input(0);
    private static final Expr Y = Expr.input(1);

    @Param({"1000", "4096"})
    public int n;

    private final long[] zeros = new long[3];
    private final double[] parameters = {0.5};
    private final long[][] strides = {{1}, {1}};
    private final long[] few = {16};
    private Arena arena;
    private MemorySegment[] two;
    private MemorySegment[] three;
    private Loop add;
    private Loop expScale;
    private Loop chain;
    private Rows small;

    @Setup
    public void setup() {
        arena = Arena.ofShared();
        MemorySegment x = arena.allocate(n * 4L, 64);
        MemorySegment y = arena.allocate(n * 4L, 64);
        MemorySegment z = arena.allocate(n * 4L, 64);
        for (int i = 0; i < n; i++) {
            x.setAtIndex(ValueLayout.JAVA_FLOAT, i, i % 100 * 0.02f - 1);
            y.setAtIndex(ValueLayout.JAVA_FLOAT, i, i % 77 * 0.02f);
        }
        two = new MemorySegment[] {x, z};
        three = new MemorySegment[] {x, y, z};
        add = loop(2, X.add(Y));
        expScale = loop(1, X.exp().mul(Expr.parameter(0)));
        chain = loop(2, X.add(Y).mul(X).sub(Y).mul(0.5).add(1).mul(Y).sub(X).add(Y));
        small = new Rows(F32, List.of(F32, F32), List.of(F32), List.of(X.add(Y)), true);
        // scalar loops answer at first, and vector ones are made when those have had some work
        long end = System.nanoTime() + 500_000_000;
        while (System.nanoTime() < end) {
            emittedAdd();
            emittedExpScale();
            emittedChain();
            small.run(three, zeros, strides, new long[] {n}, parameters, 0, n);
        }
        dev.gatun.engine.Warmup.awaitAll();
    }

    private static Loop loop(int inputs, Expr body) {
        return LaneCompiler.compile(F32, Collections.nCopies(inputs, F32), List.of(F32), List.of(body),
                Collections.nCopies(inputs, Access.DENSE));
    }

    @TearDown
    public void close() {
        arena.close();
    }

    @Benchmark
    public void emittedAdd() {
        add.run(three, zeros, zeros, parameters, n);
    }

    @Benchmark
    public void handAdd() {
        add(three[0], three[1], three[2], n);
    }

    @Benchmark
    public void emittedExpScale() {
        expScale.run(two, zeros, zeros, parameters, n);
    }

    @Benchmark
    public void handExpScale() {
        expScale(two[0], two[1], (float) parameters[0], n);
    }

    @Benchmark
    public void emittedChain() {
        chain.run(three, zeros, zeros, parameters, n);
    }

    @Benchmark
    public void handChain() {
        chain(three[0], three[1], three[2], n);
    }

    /** What a small op pays for strides, modes and the choice of a loop. */
    @Benchmark
    public void sixteenNumbers() {
        small.run(three, zeros, strides, few, parameters, 0, 16);
    }

    private static void add(MemorySegment a, MemorySegment b, MemorySegment c, int n) {
        MemorySegment x = a.asSlice(0, n * 4L);
        MemorySegment y = b.asSlice(0, n * 4L);
        MemorySegment z = c.asSlice(0, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += S.length()) {
            FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE)
                    .add(FloatVector.fromMemorySegment(S, y, i * 4L, NATIVE))
                    .intoMemorySegment(z, i * 4L, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            FloatVector.fromMemorySegment(S, x, full * 4L, NATIVE, rest)
                    .add(FloatVector.fromMemorySegment(S, y, full * 4L, NATIVE, rest))
                    .intoMemorySegment(z, full * 4L, NATIVE, rest);
        }
    }

    private static void expScale(MemorySegment a, MemorySegment c, float scale, int n) {
        MemorySegment x = a.asSlice(0, n * 4L);
        MemorySegment z = c.asSlice(0, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += S.length()) {
            FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE)
                    .lanewise(VectorOperators.EXP).mul(scale).intoMemorySegment(z, i * 4L, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            FloatVector.fromMemorySegment(S, x, full * 4L, NATIVE, rest)
                    .lanewise(VectorOperators.EXP).mul(scale).intoMemorySegment(z, full * 4L, NATIVE, rest);
        }
    }

    private static void chain(MemorySegment a, MemorySegment b, MemorySegment c, int n) {
        MemorySegment x = a.asSlice(0, n * 4L);
        MemorySegment y = b.asSlice(0, n * 4L);
        MemorySegment z = c.asSlice(0, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += S.length()) {
            FloatVector u = FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE);
            FloatVector v = FloatVector.fromMemorySegment(S, y, i * 4L, NATIVE);
            u.add(v).mul(u).sub(v).mul(0.5f).add(1f).mul(v).sub(u).add(v).intoMemorySegment(z, i * 4L, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            FloatVector u = FloatVector.fromMemorySegment(S, x, full * 4L, NATIVE, rest);
            FloatVector v = FloatVector.fromMemorySegment(S, y, full * 4L, NATIVE, rest);
            u.add(v).mul(u).sub(v).mul(0.5f).add(1f).mul(v).sub(u).add(v).intoMemorySegment(z, full * 4L, NATIVE, rest);
        }
    }
}
