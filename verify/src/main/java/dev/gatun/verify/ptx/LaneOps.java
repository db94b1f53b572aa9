package dev.gatun.verify.ptx;

import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;

/**
 * What the emulated device can compute, by the instruction's whole name: each is a loop over the 32 lanes of a warp.
 * A name that is not here is refused when a text is loaded; adding one is adding its loop.
 *
 * <p>A register is a long a lane whatever its width; a loop takes the bits that its type has and leaves those above as
 * it likes. Rounded to nearest, Java's own arithmetic is PTX's; NaN results of arithmetic in f32 have the bits 0x7fffffff.
 */
final class LaneOps {

    static final int LANES = 32;

    /** A loop over all lanes; those outside the mask may come out as anything, but never fail. */
    interface Loop {
        void run(int mask, long[] d, long[] a, long[] b, long[] c, long[] e);
    }

    /** For which lanes two numbers compare so. */
    interface Comparison {
        int run(long[] a, long[] b);
    }

    /**
     * An instruction.
     *
     * @param widths bytes of the registers: the one written first
     */
    record Entry(int[] widths, Loop loop) {}

    private static final Map<String, Entry> TABLE = new HashMap<>();
    private static final int W = 4;
    private static final int D = 8;

    private LaneOps() {}

    /** The instruction of that name, or null. */
    static Entry of(String opcode) {
        return TABLE.get(opcode);
    }

    /** All names, sorted. */
    static TreeSet<String> names() {
        return new TreeSet<>(TABLE.keySet());
    }

    private static void put(String names, int[] widths, Loop loop) {
        for (String name : names.split(" ")) {
            TABLE.put(name, new Entry(widths, loop));
        }
    }

    static float f(long bits) {
        return Float.intBitsToFloat((int) bits);
    }

    static double d(long bits) {
        return Double.longBitsToDouble(bits);
    }

    static long bits(float value) {
        return value != value ? 0x7fffffff : Float.floatToRawIntBits(value);
    }

    static long bits(double value) {
        return value != value ? 0x7ff8000000000000L : Double.doubleToRawLongBits(value);
    }

    private static final int[] WW = {W, W};
    private static final int[] WWW = {W, W, W};
    private static final int[] WWWW = {W, W, W, W};
    private static final int[] DD = {D, D};
    private static final int[] DDD = {D, D, D};
    private static final int[] DDDD = {D, D, D, D};
    private static final int[] DWW = {D, W, W};
    private static final int[] DDW = {D, D, W};
    private static final int[] DWWD = {D, W, W, D};
    private static final int[] HH = {2, 2};
    private static final int[] DW = {D, W};
    private static final int[] WD = {W, D};
    private static final int[] WH = {W, 2};
    private static final int[] HW = {2, W};

    static {
        moves();
        wholes();
        divisions();
        bitwise();
        reals();
        extremes();
        conversions();
    }

    private static void moves() {
        Loop move = (m, d, a, b, c, e) -> System.arraycopy(a, 0, d, 0, LANES);
        put("mov.u16 mov.b16", HH, move);
        put("mov.u32 mov.s32 mov.b32 mov.f32", WW, move);
        put("mov.u64 mov.s64 mov.b64 mov.f64 cvta.to.global.u64", DD, move);
    }

    private static void wholes() {
        put("add.s32 add.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] + b[l]; });
        put("add.s64 add.u64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] + b[l]; });
        put("sub.s32 sub.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] - b[l]; });
        put("sub.s64 sub.u64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] - b[l]; });
        put("mul.lo.s32 mul.lo.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) a[l] * (int) b[l]; });
        put("mul.lo.s64 mul.lo.u64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] * b[l]; });
        put("mul.wide.s32", DWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (long) (int) a[l] * (int) b[l]; });
        put("mul.wide.u32", DWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(a[l]) * u(b[l]); });
        put("mul.hi.u64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.unsignedMultiplyHigh(a[l], b[l]); });
        put("mad.lo.s32 mad.lo.u32", WWWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) a[l] * (int) b[l] + (int) c[l]; });
        put("mad.lo.s64 mad.lo.u64", DDDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] * b[l] + c[l]; });
        put("mad.wide.u32", DWWD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(a[l]) * u(b[l]) + c[l]; });
        put("neg.s32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = -(int) a[l]; });
        put("neg.s64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = -a[l]; });
        put("abs.s32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.abs((int) a[l]); });
        put("abs.s64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.abs(a[l]); });
    }

    static long u(long bits) {
        return bits & 0xFFFFFFFFL;
    }

    private static void divisions() {
        put("div.s32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) a[l] / (int) divisor(m, l, (int) b[l]); });
        put("rem.s32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) a[l] % (int) divisor(m, l, (int) b[l]); });
        put("div.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(a[l]) / divisor(m, l, u(b[l])); });
        put("rem.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(a[l]) % divisor(m, l, u(b[l])); });
        put("div.s64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] / divisor(m, l, b[l]); });
        put("rem.s64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] % divisor(m, l, b[l]); });
        put("div.u64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Long.divideUnsigned(a[l], divisor(m, l, b[l])); });
        put("rem.u64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Long.remainderUnsigned(a[l], divisor(m, l, b[l])); });
    }

    /** PTX leaves division by zero open, so it is a failure here; lanes that stand aside divide by one. */
    private static long divisor(int mask, int lane, long value) {
        if (value != 0) {
            return value;
        }
        if ((mask >>> lane & 1) != 0) {
            throw new ArithmeticException("divides by zero in lane " + lane);
        }
        return 1;
    }

    private static void bitwise() {
        Loop and = (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] & b[l]; };
        Loop or = (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] | b[l]; };
        Loop xor = (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] ^ b[l]; };
        Loop not = (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = ~a[l]; };
        put("and.b32", WWW, and);
        put("and.b64", DDD, and);
        put("or.b32", WWW, or);
        put("or.b64", DDD, or);
        put("xor.b32", WWW, xor);
        put("xor.b64", DDD, xor);
        put("not.b32", WW, not);
        put("not.b64", DD, not);
        // a shift by the width or more leaves nothing, or the sign
        put("shl.b32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(b[l]) > 31 ? 0 : (int) a[l] << (int) b[l]; });
        put("shl.b64", DDW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(b[l]) > 63 ? 0 : a[l] << (int) b[l]; });
        put("shr.u32 shr.b32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(b[l]) > 31 ? 0 : (int) a[l] >>> (int) b[l]; });
        put("shr.u64 shr.b64", DDW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(b[l]) > 63 ? 0 : a[l] >>> (int) b[l]; });
        put("shr.s32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) a[l] >> (int) Math.min(31, u(b[l])); });
        put("shr.s64", DDW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] >> (int) Math.min(63, u(b[l])); });
        // the upper word of b:a, shifted to the left
        put("shf.l.wrap.b32", WWWW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = (u(b[l]) << 32 | u(a[l])) << (c[l] & 31) >>> 32;
        });
        put("popc.b32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Integer.bitCount((int) a[l]); });
        put("bfi.b32", new int[] {W, W, W, W, W}, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = insert(a[l], b[l], (int) c[l] & 255, (int) e[l] & 255, 32);
        });
        put("bfi.b64", new int[] {D, D, D, W, W}, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = insert(a[l], b[l], (int) c[l] & 255, (int) e[l] & 255, 64);
        });
    }

    /** The lowest {@code length} bits of {@code from}, put into {@code into} from bit {@code at} on. */
    private static long insert(long from, long into, int at, int length, int width) {
        if (at >= width || length == 0) {
            return into;
        }
        long field = (length >= 64 ? -1 : (1L << length) - 1) << at;
        return into & ~field | from << at & field;
    }

    private static void reals() {
        put("add.f32 add.rn.f32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(f(a[l]) + f(b[l])); });
        put("sub.f32 sub.rn.f32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(f(a[l]) - f(b[l])); });
        put("mul.f32 mul.rn.f32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(f(a[l]) * f(b[l])); });
        put("div.rn.f32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(f(a[l]) / f(b[l])); });
        put("fma.rn.f32", WWWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(Math.fma(f(a[l]), f(b[l]), f(c[l]))); });
        put("fma.rm.f32", WWWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(fmaDown(f(a[l]), f(b[l]), f(c[l]))); });
        put("rcp.rn.f32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(1 / f(a[l])); });
        put("sqrt.rn.f32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((float) Math.sqrt(f(a[l]))); });
        put("neg.f32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] ^ 0x80000000L; });
        put("abs.f32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] & 0x7FFFFFFFL; });
        put("copysign.f32", WWW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = a[l] & 0x80000000L | b[l] & 0x7FFFFFFFL;
        });
        put("ex2.approx.ftz.f32", WW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) if ((m >>> l & 1) != 0) d[l] = bits(flush(powerOfTwo(flush(f(a[l])))));
        });
        put("rcp.approx.ftz.f32", WW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) if ((m >>> l & 1) != 0) d[l] = bits(flush(Approx.near(1 / flush(f(a[l])))));
        });
        put("add.f64 add.rn.f64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(d(a[l]) + d(b[l])); });
        put("sub.f64 sub.rn.f64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(d(a[l]) - d(b[l])); });
        put("mul.f64 mul.rn.f64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(d(a[l]) * d(b[l])); });
        put("div.rn.f64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(d(a[l]) / d(b[l])); });
        put("fma.rn.f64", DDDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(Math.fma(d(a[l]), d(b[l]), d(c[l]))); });
        put("rcp.rn.f64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(1 / d(a[l])); });
        put("sqrt.rn.f64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(Math.sqrt(d(a[l]))); });
        put("neg.f64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] ^ Long.MIN_VALUE; });
        put("abs.f64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] & Long.MAX_VALUE; });
        put("copysign.f64", DDD, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = a[l] & Long.MIN_VALUE | b[l] & Long.MAX_VALUE;
        });
    }

    /** Numbers below the normal ones are zeros of their sign. */
    static float flush(float x) {
        return Math.abs(x) < Float.MIN_NORMAL ? Math.copySign(0f, x) : x;
    }

    /** Zero has the power 1 on every device; others are as near as {@link Approx} says. */
    private static float powerOfTwo(float x) {
        return x == 0 ? 1 : Approx.near((float) Math.pow(2, x));
    }

    /**
     * {@code x y + z}, rounded down. The product of two floats is exact in double, and a sum of two doubles is one and its
     * error exactly (Knuth's two-sum); of the two floats around that the lower is taken.
     */
    static float fmaDown(float x, float y, float z) {
        double product = (double) x * y;
        double sum = product + z;
        if (!Double.isFinite(sum)) {
            return (float) sum;
        }
        if (sum == 0) {
            boolean bothPositive = product == 0 && 1 / product > 0 && 1 / z > 0;
            return bothPositive ? 0f : -0f;
        }
        double part = sum - product;
        double error = (product - (sum - part)) + (z - part);
        float near = (float) sum;
        return near > sum || near == sum && error < 0 ? Math.nextDown(near) : near;
    }

    private static void extremes() {
        put("min.s32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.min((int) a[l], (int) b[l]); });
        put("max.s32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.max((int) a[l], (int) b[l]); });
        put("min.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.min(u(a[l]), u(b[l])); });
        put("max.u32", WWW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.max(u(a[l]), u(b[l])); });
        put("min.s64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.min(a[l], b[l]); });
        put("max.s64", DDD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = Math.max(a[l], b[l]); });
        // beside NaN the other operand is the result
        put("min.f32", WWW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) {
                float x = f(a[l]);
                float y = f(b[l]);
                d[l] = bits(x != x ? y : y != y ? x : Math.min(x, y));
            }
        });
        put("max.f32", WWW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) {
                float x = f(a[l]);
                float y = f(b[l]);
                d[l] = bits(x != x ? y : y != y ? x : Math.max(x, y));
            }
        });
        put("min.f64", DDD, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) {
                double x = d(a[l]);
                double y = d(b[l]);
                d[l] = bits(x != x ? y : y != y ? x : Math.min(x, y));
            }
        });
        put("max.f64", DDD, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) {
                double x = d(a[l]);
                double y = d(b[l]);
                d[l] = bits(x != x ? y : y != y ? x : Math.max(x, y));
            }
        });
    }

    private static void conversions() {
        put("cvt.u64.u32", DW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = u(a[l]); });
        put("cvt.s64.s32", DW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) a[l]; });
        put("cvt.u32.u64 cvt.s32.s64", WD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l]; });
        put("cvt.u32.u16", WH, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l] & 0xFFFF; });
        put("cvt.u16.u32", HW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = a[l]; });
        put("cvt.f32.f16", WH, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(Float.float16ToFloat((short) a[l])); });
        put("cvt.rn.f16.f32", HW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = f(a[l]) != f(a[l]) ? 0x7fff : Float.floatToFloat16(f(a[l]));
        });
        put("cvt.f64.f32", DW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((double) f(a[l])); });
        put("cvt.rn.f32.f64", WD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((float) d(a[l])); });
        put("cvt.rn.f32.s32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((float) (int) a[l]); });
        put("cvt.rn.f32.u32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((float) u(a[l])); });
        put("cvt.rn.f32.s64", WD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((float) a[l]); });
        put("cvt.rn.f64.s32", DW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((double) (int) a[l]); });
        put("cvt.rn.f64.u32", DW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((double) u(a[l])); });
        put("cvt.rn.f64.s64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits((double) a[l]); });
        // towards zero and saturated, as Java's casts; but NaN becomes the least number where 64 bits take part
        put("cvt.rzi.s32.f32", WW, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = (int) f(a[l]); });
        put("cvt.rzi.s64.f32", DW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = f(a[l]) != f(a[l]) ? Long.MIN_VALUE : (long) f(a[l]);
        });
        put("cvt.rzi.s32.f64", WD, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = d(a[l]) != d(a[l]) ? Integer.MIN_VALUE : (int) d(a[l]);
        });
        put("cvt.rzi.s64.f64", DD, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = d(a[l]) != d(a[l]) ? Long.MIN_VALUE : (long) d(a[l]);
        });
        put("cvt.rni.f64.f64", DD, (m, d, a, b, c, e) -> { for (int l = 0; l < LANES; l++) d[l] = bits(Math.rint(d(a[l]))); });
        put("cvt.sat.f32.f32", WW, (m, d, a, b, c, e) -> {
            for (int l = 0; l < LANES; l++) d[l] = f(a[l]) > 0 ? bits(Math.min(1, f(a[l]))) : 0;
        });
    }
}
