package dev.gatun.verify.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Instructions against what the PTX manual says of them, in whole numbers or decimals of any size, at the edges of types. */
@Tag("once")
class InstructionsTest {

    private interface Whole {
        BigInteger of(BigInteger a, BigInteger b, BigInteger c);
    }

    private static final long[] EDGES = {
        0, 1, 2, 3, 5, 31, 32, 33, 63, 64, 65, 0x7F, 0x80, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000L, 0xFFFFFFFFL, -1, -2,
        Long.MAX_VALUE, Long.MIN_VALUE, Long.MIN_VALUE + 1, 0x0123456789ABCDEFL, 0xFEDCBA9876543210L};

    /** Three numbers for each of some threads: every pair of edges, and random ones. */
    private static long[][] numbers() {
        List<long[]> all = new ArrayList<>();
        Random random = new Random(5);
        for (long a : EDGES) {
            for (long b : EDGES) {
                all.add(new long[] {a, b, EDGES[random.nextInt(EDGES.length)]});
                all.add(new long[] {a, random.nextLong(), random.nextLong()});
            }
        }
        return all.toArray(long[][]::new);
    }

    /** Runs an instruction on registers of these widths, 96 threads at a time; the result's bits, zero beyond its width. */
    private static long[] run(String opcode, int to, int[] widths, long[][] numbers) {
        StringBuilder body = new StringBuilder();
        StringBuilder operands = new StringBuilder(register(to, 9));
        body.append("mul.lo.u32 %r14, %r0, 32;\ncvt.u64.u32 %d14, %r14;\nadd.u64 %d13, %d0, %d14;\n");
        for (int k = 0; k < widths.length; k++) {
            body.append("ld.global.u").append(widths[k]).append(' ').append(register(widths[k], k + 2)).append(", [%d13+").append(8 * k).append("];\n");
            operands.append(", ").append(register(widths[k], k + 2));
        }
        body.append(opcode).append(' ').append(operands).append(";\n");
        body.append("st.global.u").append(to).append(" [%d13+24], ").append(register(to, 9)).append(";\n");
        return launched(body.toString(), numbers);
    }

    private static String register(int width, int number) {
        return (width == 64 ? "%d" : width == 32 ? "%r" : "%h") + number;
    }

    private static long[] launched(String body, long[][] numbers) {
        long[] found = new long[numbers.length];
        int most = 96;
        PtxKernel kernel = Kernels.of(body);
        for (int first = 0; first < numbers.length; first += most) {
            int count = Math.min(most, numbers.length - first);
            long[] block = new long[4 * count];
            for (int i = 0; i < count; i++) {
                System.arraycopy(numbers[first + i], 0, block, 4 * i, 3);
            }
            EmulatedGpu gpu = new EmulatedGpu(80, 1 << 20);
            long address = gpu.memory().allocate(8L * block.length);
            gpu.memory().write(address, MemorySegment.ofBuffer(Kernels.bytes(block)), 8L * block.length);
            gpu.launch(kernel, 1, count, Kernels.parameter(address));
            ByteBuffer out = Kernels.bytes(block);
            gpu.memory().read(MemorySegment.ofBuffer(out), address, 8L * block.length);
            for (int i = 0; i < count; i++) {
                found[first + i] = out.getLong(32 * i + 24);
            }
        }
        return found;
    }

    private static BigInteger whole(long bits, String type) {
        int width = Integer.parseInt(type.substring(1));
        BigInteger low = BigInteger.valueOf(bits).mod(BigInteger.TWO.pow(width));
        return type.charAt(0) == 's' && low.testBit(width - 1) ? low.subtract(BigInteger.TWO.pow(width)) : low;
    }

    private static Whole shift(int width, boolean left) {
        return (a, b, c) -> {
            int by = b.min(BigInteger.valueOf(width)).intValue();
            return left ? a.shiftLeft(by) : a.shiftRight(by);
        };
    }

    /** Opcode, types of result and operands, and what it means. */
    private static Map<String, Whole> wholes() {
        Map<String, Whole> all = new LinkedHashMap<>();
        for (String type : List.of("s32", "u32", "s64", "u64")) {
            String t = " " + type;
            all.put("add." + type + t + t + t, (a, b, c) -> a.add(b));
            all.put("sub." + type + t + t + t, (a, b, c) -> a.subtract(b));
            all.put("mul.lo." + type + t + t + t, (a, b, c) -> a.multiply(b));
            all.put("mad.lo." + type + t + t + t + t, (a, b, c) -> a.multiply(b).add(c));
            all.put("div." + type + t + t + t, (a, b, c) -> a.divide(b));
            all.put("rem." + type + t + t + t, (a, b, c) -> a.remainder(b));
        }
        for (String type : List.of("s32", "s64")) {
            String t = " " + type;
            all.put("min." + type + t + t + t, (a, b, c) -> a.min(b));
            all.put("max." + type + t + t + t, (a, b, c) -> a.max(b));
            all.put("neg." + type + t + t, (a, b, c) -> a.negate());
            all.put("abs." + type + t + t, (a, b, c) -> a.abs());
        }
        all.put("min.u32 u32 u32 u32", (a, b, c) -> a.min(b));
        all.put("max.u32 u32 u32 u32", (a, b, c) -> a.max(b));
        all.put("mul.wide.s32 s64 s32 s32", (a, b, c) -> a.multiply(b));
        all.put("mul.wide.u32 u64 u32 u32", (a, b, c) -> a.multiply(b));
        all.put("mad.wide.u32 u64 u32 u32 u64", (a, b, c) -> a.multiply(b).add(c));
        all.put("mul.hi.u64 u64 u64 u64", (a, b, c) -> a.multiply(b).shiftRight(64));
        for (int width : new int[] {32, 64}) {
            String u = " u" + width;
            String s = " s" + width;
            all.put("and.b" + width + u + u + u, (a, b, c) -> a.and(b));
            all.put("or.b" + width + u + u + u, (a, b, c) -> a.or(b));
            all.put("xor.b" + width + u + u + u, (a, b, c) -> a.xor(b));
            all.put("not.b" + width + u + u, (a, b, c) -> a.not());
            all.put("shl.b" + width + u + u + " u32", shift(width, true));
            all.put("shr.u" + width + u + u + " u32", shift(width, false));
            all.put("shr.s" + width + s + s + " u32", shift(width, false));
        }
        all.put("shf.l.wrap.b32 u32 u32 u32 u32", (a, b, c) -> b.shiftLeft(32).or(a).shiftLeft(c.intValue() & 31).shiftRight(32));
        all.put("popc.b32 u32 u32", (a, b, c) -> BigInteger.valueOf(a.bitCount()));
        all.put("cvt.u64.u32 u64 u32", (a, b, c) -> a);
        all.put("cvt.s64.s32 s64 s32", (a, b, c) -> a);
        all.put("cvt.u32.u64 u32 u64", (a, b, c) -> a);
        all.put("cvt.s32.s64 s32 s64", (a, b, c) -> a);
        all.put("cvt.u32.u16 u32 u16", (a, b, c) -> a);
        all.put("cvt.u16.u32 u16 u32", (a, b, c) -> a);
        return all;
    }

    @TestFactory
    Stream<DynamicTest> whole_numbers() {
        return wholes().entrySet().stream().map(entry -> DynamicTest.dynamicTest(entry.getKey(), () -> {
            String[] words = entry.getKey().split(" ");
            int to = Integer.parseInt(words[1].substring(1));
            int[] widths = Stream.of(words).skip(2).mapToInt(type -> Integer.parseInt(type.substring(1))).toArray();
            long[][] numbers = numbers();
            boolean divides = words[0].startsWith("div") || words[0].startsWith("rem");
            if (divides) {
                numbers = Stream.of(numbers).filter(n -> whole(n[1], words[3]).signum() != 0).toArray(long[][]::new);
            }
            long[] found = run(words[0], to, widths, numbers);
            for (int i = 0; i < found.length; i++) {
                BigInteger[] in = new BigInteger[3];
                for (int k = 0; k < widths.length; k++) {
                    in[k] = whole(numbers[i][k], words[2 + k]);
                }
                BigInteger expected = entry.getValue().of(in[0], in[1], in[2]).mod(BigInteger.TWO.pow(to));
                assertEquals(expected, whole(found[i], "u" + to), words[0] + " of " + in[0] + ", " + in[1] + ", " + in[2]);
            }
        }));
    }

    private static final float[] REALS = {
        0f, -0f, 1f, -1f, 1.5f, -2.25f, 3f, 1e-3f, -7e5f, 16777216f, 16777217f, 1e30f, -1e30f, Float.MAX_VALUE, -Float.MAX_VALUE,
        Float.MIN_VALUE, -Float.MIN_VALUE, Float.MIN_NORMAL, 1e-40f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN};

    /** The largest float that is not above a number. */
    private static float floor(BigDecimal exact) {
        float near = exact.floatValue();
        if (near == Float.NEGATIVE_INFINITY) {
            return near;
        }
        return near == Float.POSITIVE_INFINITY || new BigDecimal(near).compareTo(exact) > 0 ? Math.nextDown(near) : near;
    }

    @Test
    void fma_rounds_down_exactly() {
        Random random = new Random(9);
        for (int i = 0; i < 200_000; i++) {
            float x = i < 8000 ? REALS[i % 19] : Float.intBitsToFloat(random.nextInt());
            float y = i < 8000 ? REALS[i / 19 % 19] : (float) random.nextGaussian();
            float z = i < 8000 ? REALS[i / 361 % 19] : i % 3 == 0 ? -x * y : Float.intBitsToFloat(random.nextInt());
            if (!Float.isFinite(x) || !Float.isFinite(z)) {
                continue;
            }
            BigDecimal exact = new BigDecimal(x).multiply(new BigDecimal(y)).add(new BigDecimal(z));
            float found = LaneOps.fmaDown(x, y, z);
            if (exact.signum() == 0) {
                // zeros of one sign keep it, everything else that cancels is -0 when rounded down
                boolean positive = x * y == 0 && 1 / (x * y) > 0 && z == 0 && 1 / z > 0;
                assertEquals(positive ? 0f : -0f, found, x + " * " + y + " + " + z);
            } else {
                assertEquals(floor(exact), found == 0 ? 0f : found, x + " * " + y + " + " + z);
            }
        }
    }

    private static long bits(float value) {
        return Float.floatToRawIntBits(value) & 0xFFFFFFFFL;
    }

    private static long[] reals(String opcode, long... numbers) {
        long[][] triples = new long[numbers.length / 2][];
        for (int i = 0; i < triples.length; i++) {
            triples[i] = new long[] {numbers[2 * i], numbers[2 * i + 1], 0};
        }
        return run(opcode, 32, new int[] {32, 32}, triples);
    }

    @Test
    void beside_a_number_nan_is_not_the_least_or_largest() {
        long nan = bits(Float.NaN);
        long[] found = reals("min.f32", nan, bits(2), bits(2), nan, nan, nan, bits(-0f), bits(0f));
        assertEquals(List.of(bits(2), bits(2), 0x7fffffffL, bits(-0f)), Stream.of(0, 1, 2, 3).map(i -> found[i] & 0xFFFFFFFFL).toList());
    }

    @Test
    void the_sign_is_that_of_the_first_operand() {
        assertEquals(bits(-3), reals("copysign.f32", bits(-1), bits(3))[0] & 0xFFFFFFFFL);
    }

    @Test
    void comparisons_know_numbers_that_are_none() {
        String[] names = {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
        for (float x : REALS) {
            for (float y : REALS) {
                boolean none = x != x || y != y;
                boolean[] expected = {
                    x == y, !none && x != y, x < y, x <= y, x > y, x >= y, none || x == y, x != y, none || x < y, none || x <= y, none || x > y,
                    none || x >= y, !none, none};
                long[] a = new long[32];
                long[] b = new long[32];
                a[5] = bits(x);
                b[5] = bits(y);
                for (int i = 0; i < names.length; i++) {
                    assertEquals(expected[i], (Comparisons.of(names[i], "f32").run(a, b) >>> 5 & 1) != 0, x + " " + names[i] + " " + y);
                }
            }
        }
    }

    @Test
    void whole_numbers_of_reals_are_saturated() {
        LaneOps.Entry cut = LaneOps.of("cvt.rzi.s32.f32");
        long[] from = new long[32];
        long[] to = new long[32];
        float[] reals = {1.9f, -1.9f, 3e9f, -3e9f, Float.NaN};
        for (int i = 0; i < reals.length; i++) {
            from[i] = bits(reals[i]);
        }
        cut.loop().run(-1, to, from, null, null, null);
        assertEquals(List.of(1, -1, Integer.MAX_VALUE, Integer.MIN_VALUE, 0), Stream.of(0, 1, 2, 3, 4).map(i -> (int) to[i]).toList());
        for (int i = 0; i < reals.length; i++) {
            from[i] = Double.doubleToRawLongBits(reals[i]);
        }
        LaneOps.of("cvt.rzi.s64.f64").loop().run(-1, to, from, null, null, null);
        assertEquals(List.of(1L, -1L, 3_000_000_000L, -3_000_000_000L, Long.MIN_VALUE), Stream.of(0, 1, 2, 3, 4).map(i -> to[i]).toList());
    }

    @Test
    void bits_are_inserted_where_the_manual_says() {
        String body = """
                mov.u32 %r1, 0x0000ABCD;
                mov.u32 %r2, 0x11111111;
                bfi.b32 %r3, %r1, %r2, 8, 12;
                cvt.u64.u32 %d2, %r3;
                st.global.u64 [%d1], %d2;
                """;
        assertEquals(0x111BCD11L, Kernels.run(body, 0)[0]);
    }

    @Test
    void sums_over_a_warp_go_through_shuffles() {
        String body = """
                mov.u32 %r1, %r0;
                shfl.sync.bfly.b32 %r2|%p1, %r1, 16, 31, -1;
                add.s32 %r1, %r1, %r2;
                shfl.sync.bfly.b32 %r2|%p1, %r1, 8, 31, -1;
                add.s32 %r1, %r1, %r2;
                shfl.sync.bfly.b32 %r2|%p1, %r1, 4, 31, -1;
                add.s32 %r1, %r1, %r2;
                shfl.sync.bfly.b32 %r2|%p1, %r1, 2, 31, -1;
                add.s32 %r1, %r1, %r2;
                shfl.sync.bfly.b32 %r2|%p1, %r1, 1, 31, -1;
                add.s32 %r1, %r1, %r2;
                cvt.u64.u32 %d2, %r1;
                st.global.u64 [%d1], %d2;
                """;
        for (long sum : Kernels.run(body, new long[32])) {
            assertEquals(31 * 32 / 2, sum);
        }
    }

    @Test
    void lanes_that_loop_for_different_times_meet_again() {
        // each thread adds up its own number of ones, then all vote
        long[] found = Kernels.run("""
                mov.u32 %r1, 0;
                AGAIN: setp.ge.u32 %p1, %r1, %r0;
                @%p1 bra DONE;
                add.s32 %r1, %r1, 1;
                bra AGAIN;
                DONE: setp.gt.u32 %p2, %r1, 2;
                vote.sync.ballot.b32 %r2, %p2, -1;
                mov.b64 %d2, {%r1, %r2};
                st.global.u64 [%d1], %d2;
                """, new long[32]);
        for (int i = 0; i < 32; i++) {
            assertEquals(0xFFFFFFF800000000L | i, found[i]);
        }
    }

    @Test
    void approximate_functions_may_be_two_units_off_and_no_more() {
        boolean moved = false;
        for (int i = 1; i < 1000; i++) {
            float exact = i * 0.37f;
            float near = Approx.moved(exact);
            moved |= near != exact;
            assertEquals(0, Math.max(0, Math.abs(Float.floatToIntBits(near) - Float.floatToIntBits(exact)) - 2), exact + " became " + near);
        }
        assertEquals(true, moved);
    }
}
