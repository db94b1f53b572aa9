package dev.gatun.engine.lanes;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.engine.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

/** Rows over any layout against indices worked out one element at a time. */
class RowsTest {

    private static final Expr BODY = Expr.input(0).fma(Expr.parameter(0), Expr.input(1));

    /** Strides of an input: contiguous, or with axes swapped, or with gaps, and 0 where it is repeated. */
    private static long[] strides(long[] dims, Random random) {
        long[] strides = new long[dims.length];
        long next = 1;
        boolean forwards = random.nextInt(3) == 0;
        for (int i = 0; i < dims.length; i++) {
            int axis = forwards ? i : dims.length - 1 - i;
            if (random.nextInt(4) == 0) {
                continue;
            }
            strides[axis] = next;
            next *= Math.max(1, dims[axis]);
            if (random.nextInt(5) == 0) {
                next += random.nextInt(3);
            }
        }
        return strides;
    }

    private static void check(Rows rows, DType type, long[] dims, long[] a, long[] b, long from, long to) {
        long items = 1;
        for (long d : dims) {
            items *= d;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment x = block(arena, type, span(dims, a), 0);
            MemorySegment y = block(arena, type, span(dims, b), 1000);
            MemorySegment z = arena.allocate((items + 2) * type.bytes(), 64);
            rows.run(new MemorySegment[] {x, y, z}, new long[] {type.bytes(), 0, type.bytes()}, new long[][] {a, b}, dims,
                    new double[] {4}, from, to);
            for (long i = 0; i < items; i++) {
                long rest = i;
                long p = 1;
                long q = 0;
                for (int axis = dims.length - 1; axis >= 0; axis--) {
                    p += rest % dims[axis] * a[axis];
                    q += rest % dims[axis] * b[axis];
                    rest /= dims[axis];
                }
                double expected = i < from || i >= to
                        ? 0
                        : Harness.get(type, x, p * type.bytes()) * 4 + Harness.get(type, y, q * type.bytes());
                assertEquals(expected, Harness.get(type, z, (i + 1) * type.bytes()), "element " + i);
            }
        }
    }

    private static long span(long[] dims, long[] strides) {
        long last = 2;
        for (int axis = 0; axis < dims.length; axis++) {
            last += Math.max(0, dims[axis] - 1) * strides[axis];
        }
        return last;
    }

    private static MemorySegment block(Arena arena, DType type, long elements, double first) {
        MemorySegment block = arena.allocate(elements * type.bytes(), 64);
        for (long i = 0; i < elements; i++) {
            Harness.set(type, block, i * type.bytes(), first + i);
        }
        return block;
    }

    @Property(tries = 400)
    void every_layout_and_every_range_is_computed_as_indices_say(
            @ForAll @Size(max = 4) List<@IntRange(min = 0, max = 6) Integer> sizes,
            @ForAll @IntRange(min = 1, max = 40) int wide,
            @ForAll long seed) {
        Random random = new Random(seed);
        long[] dims = sizes.stream().mapToLong(i -> i).toArray();
        if (dims.length > 0) {
            dims[random.nextInt(dims.length)] = wide;
        }
        long items = 1;
        for (long d : dims) {
            items *= d;
        }
        long from = random.nextLong(items + 1);
        long to = from + random.nextLong(items - from + 1);
        DType type = random.nextBoolean() ? DType.F32 : DType.F64;
        check(random.nextBoolean() ? (type == DType.F32 ? F32 : F64) : (type == DType.F32 ? F32_SCALAR : F64_SCALAR),
                type, dims, strides(dims, random), strides(dims, random), from, to);
    }

    private static final Rows F32 = rows(DType.F32, true);
    private static final Rows F64 = rows(DType.F64, true);
    private static final Rows F32_SCALAR = rows(DType.F32, false);
    private static final Rows F64_SCALAR = rows(DType.F64, false);

    private static Rows rows(DType type, boolean vectors) {
        return new Rows(type, List.of(type, type), List.of(type), List.of(BODY), vectors);
    }

    @Example
    void columns_and_rows_meet_in_a_table() {
        check(F32, DType.F32, new long[] {7, 33}, new long[] {0, 1}, new long[] {1, 0}, 0, 231);
        check(F32, DType.F32, new long[] {7, 33}, new long[] {0, 1}, new long[] {1, 0}, 5, 200);
    }

    @Example
    void a_range_of_nothing_touches_nothing() {
        check(F32, DType.F32, new long[] {3, 0}, new long[] {0, 1}, new long[] {1, 0}, 0, 0);
        check(F32, DType.F32, new long[] {}, new long[] {}, new long[] {}, 1, 1);
    }

    @Example
    void masks_come_in_and_go_out_as_bytes() {
        Rows rows = new Rows(DType.F32, List.of(DType.BOOL, DType.F32), List.of(DType.BOOL),
                List.of(Expr.input(0).and(Expr.input(1).gt(0))), true);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocateFrom(ValueLayout.JAVA_BYTE, new byte[] {1, 0, 1, 1});
            MemorySegment x = arena.allocateFrom(ValueLayout.JAVA_FLOAT, new float[] {1, 1, -1, 2});
            MemorySegment out = arena.allocate(4);
            rows.run(new MemorySegment[] {mask, x, out}, new long[3], new long[][] {{1}, {1}}, new long[] {4}, new double[0], 0, 4);
            assertEquals(List.of((byte) 1, (byte) 0, (byte) 0, (byte) 1),
                    IntStream.range(0, 4).mapToObj(i -> out.get(ValueLayout.JAVA_BYTE, i)).toList());
        }
    }
}
