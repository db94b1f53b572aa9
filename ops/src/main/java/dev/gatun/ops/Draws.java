package dev.gatun.ops;

import dev.gatun.engine.Args;
import dev.gatun.engine.Key;
import dev.gatun.ops.Random.Dropout;
import dev.gatun.ops.Random.Normal;
import dev.gatun.ops.Random.Uniform;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

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

        private static int elements(Args a, long block, int blocks) {
            return (int) Math.min((long) blocks * BLOCK, a.elements() - block * BLOCK);
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
}
