package dev.gatun.ops;

import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ROL;
import static jdk.incubator.vector.VectorOperators.SQRT;
import static jdk.incubator.vector.VectorOperators.XOR;

import dev.gatun.engine.Args;
import dev.gatun.engine.Key;
import dev.gatun.engine.lanes.Lanes;
import dev.gatun.ops.Random.Dropout;
import dev.gatun.ops.Random.Normal;
import dev.gatun.ops.Random.Uniform;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;

/**
 * 32 random bits for each element, and what is made of them. Elements go in blocks of 32, which take
 * 16 words of the key: the first 16 elements the low halves, the others the high ones. So the two
 * halves of a word lie a fixed way apart and no loop has to interleave them, however wide it is.
 *
 * <p>What is made in float uses only operations that are rounded one way everywhere, so scalar and
 * vector loops agree in every bit.
 */
final class Draws {

    static final int BLOCK = 32;
    static final int HALF = 16;
    /** Blocks that are drawn before they are used: 4 KiB, which stay in the nearest cache. */
    static final int BATCH = 32;

    static final float LN2_HIGH = 0.693145751953125f;
    static final float LN2_LOW = 1.428606765330187e-06f;
    /** Bits of the root of one half: where a mantissa is split so that its logarithm is least. */
    static final int ROOT_HALF = 0x3F3504F3;
    /** {@code ((log(1 + f) - f) / f² + 1/2) / f} for f from sqrt(1/2) - 1 to sqrt(2) - 1. */
    static final float[] LOG = {
        0.3333331048488617f, -0.24999986588954926f, 0.20002226531505585f, -0.16669246554374695f, 0.14218665659427643f,
        -0.12384416908025742f, 0.11872994154691696f, -0.1178942620754242f, 0.06914873421192169f,
    };
    /** {@code (sin(r) / r - 1) / r²} in powers of r², for |r| up to a quarter of pi. */
    static final float[] SIN = {-0.16666655242443085f, 0.008332176133990288f, -0.00019516977772582322f};
    /** {@code ((cos(r) - 1) / r² + 1/2) / r²} likewise. */
    static final float[] COS = {0.04166664555668831f, -0.0013887364184483886f, 2.4438089894829318e-05f};
    /** From 30 bits of a quarter turn to radians. */
    static final float TO_RADIANS = (float) (Math.PI / 2 * 0x1p-30);

    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;

    private Draws() {}

    /** Which word of the key has an element's bits. */
    static long word(long element) {
        return (element >>> 5) * HALF + (element & HALF - 1);
    }

    /** The bits of an element. */
    static int of(Key key, long element) {
        long word = key.word(word(element));
        return (int) ((element & HALF) == 0 ? word : word >>> 32);
    }

    /** A number in {@code [0, 1)} of the upper 24 bits, all that a float holds. */
    static float share(int bits) {
        return (bits >>> 8) * 0x1p-24f;
    }

    /** The upper 24 bits are below this with probability {@code p}. */
    static int limit(double p) {
        return (int) Math.rint(p * 0x1p24);
    }

    /** Blocks of the first output. */
    static long blocks(Args a) {
        return Math.ceilDiv(a.elements(), BLOCK);
    }

    private static int elements(Args a, long block, int blocks) {
        return (int) Math.min((long) blocks * BLOCK, a.elements() - block * BLOCK);
    }

    /** {@code sqrt(-2 log u) cos(2 π v)}, or sin, in double: u of 31 bits and never 0, v of 32 bits. */
    static double exactNormal(int low, int high, boolean cosine) {
        double u = ((low >>> 1) + 0.5) * 0x1p-31;
        double angle = 2 * Math.PI * (high * 0x1p-32);
        return StrictMath.sqrt(-2 * StrictMath.log(u)) * (cosine ? StrictMath.cos(angle) : StrictMath.sin(angle));
    }

    /** The same in float, operation by operation. */
    static float normal(int low, int high, boolean cosine) {
        int bits = Float.floatToRawIntBits((low >>> 1) + 0.5f);
        int exponent = bits - ROOT_HALF >> 23;
        float f = Float.intBitsToFloat(bits - (exponent << 23)) - 1;
        float e = exponent - 31;
        float p = LOG[8];
        for (int i = 7; i >= 0; i--) {
            p = Math.fma(f, p, LOG[i]);
        }
        float rest = Math.fma(f * f, Math.fma(f, p, -0.5f), e * LN2_LOW);
        float log = Math.fma(e, LN2_HIGH, f + rest);
        float radius = (float) Math.sqrt(-2 * log);

        int quarter = high + (1 << 29) >> 30;
        float r = (high - (quarter << 30)) * TO_RADIANS;
        float z = r * r;
        float sin = Math.fma(r * z, Math.fma(z, Math.fma(z, SIN[2], SIN[1]), SIN[0]), r);
        float cos = Math.fma(z, Math.fma(z, Math.fma(z, Math.fma(z, COS[2], COS[1]), COS[0]), -0.5f), 1);
        boolean swapped = (quarter & 1) != 0;
        float y = radius * (swapped == cosine ? sin : cos);
        // cosine changes sign in the second and third quarter, sine in the third and fourth
        return ((quarter + (cosine ? 1 : 0)) & 2) == 0 ? y : -y;
    }

    /** Plain loops. */
    static final class Scalar {

        private Scalar() {}

        /** Draws of some blocks, element after element. */
        private static void draw(Key key, long block, int blocks, MemorySegment draws) {
            for (int i = 0; i < blocks * HALF; i++) {
                long word = key.word(block * HALF + i);
                int at = (i / HALF * BLOCK + i % HALF) * 4;
                draws.set(INT, at, (int) word);
                draws.set(INT, at + HALF * 4, (int) (word >>> 32));
            }
        }

        static void uniform(Args a, long from, long to) {
            Uniform op = a.op(Uniform.class);
            MemorySegment draws = a.scratch(BATCH * BLOCK * 4);
            float low = (float) op.low();
            float width = (float) (op.high() - op.low());
            for (long block = from; block < to; block += BATCH) {
                int blocks = (int) Math.min(BATCH, to - block);
                draw(op.key(), block, blocks, draws);
                int n = elements(a, block, blocks);
                MemorySegment y = a.out().asSlice(block * BLOCK * 4, n * 4L);
                for (int i = 0; i < n; i++) {
                    y.set(FLOAT, i * 4L, Math.fma(share(draws.get(INT, i * 4L)), width, low));
                }
            }
        }

        static void normal(Args a, long from, long to) {
            Key key = a.op(Normal.class).key();
            MemorySegment draws = a.scratch(BATCH * BLOCK * 4);
            for (long block = from; block < to; block += BATCH) {
                int blocks = (int) Math.min(BATCH, to - block);
                draw(key, block, blocks, draws);
                int n = elements(a, block, blocks);
                MemorySegment y = a.out().asSlice(block * BLOCK * 4, n * 4L);
                for (int i = 0; i < n; i++) {
                    long at = (i & ~HALF) * 4L;
                    y.set(FLOAT, i * 4L, Draws.normal(draws.get(INT, at), draws.get(INT, at + HALF * 4), (i & HALF) == 0));
                }
            }
        }

        static void dropout(Args a, long from, long to) {
            Dropout op = a.op(Dropout.class);
            MemorySegment draws = a.scratch(BATCH * BLOCK * 4);
            int limit = limit(1 - op.rate());
            float scale = (float) (1 / (1 - op.rate()));
            for (long block = from; block < to; block += BATCH) {
                int blocks = (int) Math.min(BATCH, to - block);
                draw(op.key(), block, blocks, draws);
                int n = elements(a, block, blocks);
                MemorySegment x = a.in(0).asSlice(block * BLOCK * 4, n * 4L);
                MemorySegment y = a.out().asSlice(block * BLOCK * 4, n * 4L);
                for (int i = 0; i < n; i++) {
                    y.set(FLOAT, i * 4L, draws.get(INT, i * 4L) >>> 8 < limit ? x.get(FLOAT, i * 4L) * scale : 0);
                }
            }
        }
    }

    /** Vector API loops, operation by operation as the plain ones. */
    static final class Fast {

        private static final VectorSpecies<Float> S = Lanes.F32;
        private static final VectorSpecies<Integer> I = S.vectorShape().withLanes(int.class);
        private static final int STEP = S.length();
        private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
        private static final IntVector LANES = IntVector.zero(I).addIndex(1);
        private static final FloatVector L0 = FloatVector.broadcast(S, LOG[0]);
        private static final FloatVector L1 = FloatVector.broadcast(S, LOG[1]);
        private static final FloatVector L2 = FloatVector.broadcast(S, LOG[2]);
        private static final FloatVector L3 = FloatVector.broadcast(S, LOG[3]);
        private static final FloatVector L4 = FloatVector.broadcast(S, LOG[4]);
        private static final FloatVector L5 = FloatVector.broadcast(S, LOG[5]);
        private static final FloatVector L6 = FloatVector.broadcast(S, LOG[6]);
        private static final FloatVector L7 = FloatVector.broadcast(S, LOG[7]);
        private static final FloatVector L8 = FloatVector.broadcast(S, LOG[8]);
        private static final FloatVector S0 = FloatVector.broadcast(S, SIN[0]);
        private static final FloatVector S1 = FloatVector.broadcast(S, SIN[1]);
        private static final FloatVector S2 = FloatVector.broadcast(S, SIN[2]);
        private static final FloatVector C0 = FloatVector.broadcast(S, COS[0]);
        private static final FloatVector C1 = FloatVector.broadcast(S, COS[1]);
        private static final FloatVector C2 = FloatVector.broadcast(S, COS[2]);
        private static final FloatVector MINUS_HALF = FloatVector.broadcast(S, -0.5f);

        private Fast() {}

        /** Threefry-2x32 of 20 rounds, as {@link Key#bits}, on as many counters as there are lanes. */
        private static void draw(Key key, long block, int blocks, MemorySegment draws) {
            int k0 = (int) key.bits();
            int k1 = (int) (key.bits() >>> 32);
            int k2 = 0x1BD11BDA ^ k0 ^ k1;
            for (int at = 0; at < blocks * HALF; at += STEP) {
                // A block's words never cross a multiple of 2^32, so the upper half is one number.
                long counter = block * HALF + at;
                IntVector x0 = LANES.add((int) counter + k0);
                IntVector x1 = IntVector.broadcast(I, (int) (counter >>> 32) + k1);
                for (int four = 0; four < 5; four++) {
                    boolean even = (four & 1) == 0;
                    x0 = x0.add(x1);
                    x1 = x1.lanewise(ROL, even ? 13 : 17).lanewise(XOR, x0);
                    x0 = x0.add(x1);
                    x1 = x1.lanewise(ROL, even ? 15 : 29).lanewise(XOR, x0);
                    x0 = x0.add(x1);
                    x1 = x1.lanewise(ROL, even ? 26 : 16).lanewise(XOR, x0);
                    x0 = x0.add(x1);
                    x1 = x1.lanewise(ROL, even ? 6 : 24).lanewise(XOR, x0);
                    x0 = x0.add(four % 3 == 0 ? k1 : four % 3 == 1 ? k2 : k0);
                    x1 = x1.add((four % 3 == 0 ? k2 : four % 3 == 1 ? k0 : k1) + four + 1);
                }
                long to = (at / HALF * BLOCK + at % HALF) * 4L;
                x0.intoMemorySegment(draws, to, NATIVE);
                x1.intoMemorySegment(draws, to + HALF * 4, NATIVE);
            }
        }

        static void uniform(Args a, long from, long to) {
            Uniform op = a.op(Uniform.class);
            MemorySegment draws = a.scratch(BATCH * BLOCK * 4);
            FloatVector low = FloatVector.broadcast(S, (float) op.low());
            FloatVector width = FloatVector.broadcast(S, (float) (op.high() - op.low()));
            for (long block = from; block < to; block += BATCH) {
                int blocks = (int) Math.min(BATCH, to - block);
                draw(op.key(), block, blocks, draws);
                int n = elements(a, block, blocks);
                MemorySegment y = a.out().asSlice(block * BLOCK * 4, n * 4L);
                for (int i = 0; i < n; i += STEP) {
                    IntVector bits = IntVector.fromMemorySegment(I, draws, i * 4L, NATIVE).lanewise(LSHR, 8);
                    FloatVector u = ((FloatVector) bits.convertShape(I2F, S, 0)).mul(0x1p-24f).fma(width, low);
                    if (i + STEP <= n) {
                        u.intoMemorySegment(y, i * 4L, NATIVE);
                    } else {
                        u.intoMemorySegment(y, i * 4L, NATIVE, S.indexInRange(i, n));
                    }
                }
            }
        }

        static void dropout(Args a, long from, long to) {
            Dropout op = a.op(Dropout.class);
            MemorySegment draws = a.scratch(BATCH * BLOCK * 4);
            int limit = limit(1 - op.rate());
            float scale = (float) (1 / (1 - op.rate()));
            FloatVector zero = FloatVector.zero(S);
            for (long block = from; block < to; block += BATCH) {
                int blocks = (int) Math.min(BATCH, to - block);
                draw(op.key(), block, blocks, draws);
                int n = elements(a, block, blocks);
                MemorySegment x = a.in(0).asSlice(block * BLOCK * 4, n * 4L);
                MemorySegment y = a.out().asSlice(block * BLOCK * 4, n * 4L);
                for (int i = 0; i < n; i += STEP) {
                    VectorMask<Float> kept = IntVector.fromMemorySegment(I, draws, i * 4L, NATIVE).lanewise(LSHR, 8).lt(limit).cast(S);
                    if (i + STEP <= n) {
                        FloatVector value = FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE).mul(scale);
                        zero.blend(value, kept).intoMemorySegment(y, i * 4L, NATIVE);
                    } else {
                        VectorMask<Float> rest = S.indexInRange(i, n);
                        FloatVector value = FloatVector.fromMemorySegment(S, x, i * 4L, NATIVE, rest).mul(scale);
                        zero.blend(value, kept).intoMemorySegment(y, i * 4L, NATIVE, rest);
                    }
                }
            }
        }

        static void normal(Args a, long from, long to) {
            Key key = a.op(Normal.class).key();
            MemorySegment draws = a.scratch(BATCH * BLOCK * 4);
            for (long block = from; block < to; block += BATCH) {
                int blocks = (int) Math.min(BATCH, to - block);
                draw(key, block, blocks, draws);
                normals(draws, blocks * HALF);
                int n = elements(a, block, blocks);
                MemorySegment.copy(draws, 0, a.out(), block * BLOCK * 4, n * 4L);
            }
        }

        /** Draws replaced by normal numbers: from each word a cosine and, half a block on, a sine. */
        private static void normals(MemorySegment draws, int words) {
            FloatVector one = FloatVector.broadcast(S, 1);
            FloatVector ln2High = FloatVector.broadcast(S, LN2_HIGH);
            for (int i = 0; i < words; i += STEP) {
                long at = (i / HALF * BLOCK + i % HALF) * 4L;
                IntVector low = IntVector.fromMemorySegment(I, draws, at, NATIVE);
                IntVector high = IntVector.fromMemorySegment(I, draws, at + HALF * 4, NATIVE);

                IntVector bits = ((FloatVector) low.lanewise(LSHR, 1).convertShape(I2F, S, 0)).add(0.5f).reinterpretAsInts();
                IntVector exponent = bits.sub(ROOT_HALF).lanewise(ASHR, 23);
                FloatVector f = bits.sub(exponent.lanewise(LSHL, 23)).reinterpretAsFloats().sub(one);
                FloatVector e = (FloatVector) exponent.sub(31).convertShape(I2F, S, 0);
                FloatVector p = f.fma(L8, L7);
                p = f.fma(p, L6);
                p = f.fma(p, L5);
                p = f.fma(p, L4);
                p = f.fma(p, L3);
                p = f.fma(p, L2);
                p = f.fma(p, L1);
                p = f.fma(p, L0);
                FloatVector rest = f.mul(f).fma(f.fma(p, MINUS_HALF), e.mul(LN2_LOW));
                FloatVector radius = e.fma(ln2High, f.add(rest)).mul(-2).lanewise(SQRT);

                IntVector quarter = high.add(1 << 29).lanewise(ASHR, 30);
                FloatVector r = ((FloatVector) high.sub(quarter.lanewise(LSHL, 30)).convertShape(I2F, S, 0)).mul(TO_RADIANS);
                FloatVector z = r.mul(r);
                FloatVector sin = r.mul(z).fma(z.fma(z.fma(S2, S1), S0), r);
                FloatVector cos = z.fma(z.fma(z.fma(z.fma(C2, C1), C0), MINUS_HALF), one);
                VectorMask<Float> swapped = quarter.and(1).eq(1).cast(S);
                IntVector cosSign = quarter.add(1).and(2).lanewise(LSHL, 30);
                IntVector sinSign = quarter.and(2).lanewise(LSHL, 30);
                FloatVector first = radius.mul(cos.blend(sin, swapped));
                FloatVector second = radius.mul(sin.blend(cos, swapped));
                first.reinterpretAsInts().lanewise(XOR, cosSign).intoMemorySegment(draws, at, NATIVE);
                second.reinterpretAsInts().lanewise(XOR, sinSign).intoMemorySegment(draws, at + HALF * 4, NATIVE);
            }
        }
    }
}
