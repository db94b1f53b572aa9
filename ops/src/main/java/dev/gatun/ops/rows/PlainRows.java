package dev.gatun.ops.rows;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The steps as plain loops in float; sums in double, which costs them nothing. */
final class PlainRows implements RowSteps {

    static final RowSteps STEPS = new PlainRows();

    private static final ValueLayout.OfFloat F = ValueLayout.JAVA_FLOAT_UNALIGNED;

    static final float LOG2_E = 1.4426950408889634f;
    /** Added and taken off again, rounds to a whole number; its lowest bits then are that number. */
    static final float MAGIC = 0x1.8p23f;
    static final float BIAS = 127;
    static final float LN2_HIGH = 0.693145751953125f;
    static final float LN2_LOW = 1.428606765330187e-06f;
    /** Below, {@code 2^k} comes out as 0; above, as infinity. */
    static final float LOWEST = -88;
    static final float HIGHEST = 89;
    /** {@code (exp(r) - 1 - r) / r²} for |r| up to ln(2)/2. */
    static final float E0 = 0.4999999403953552f;
    static final float E1 = 0.1666652113199234f;
    static final float E2 = 0.04166838526725769f;
    static final float E3 = 0.0083687175065279f;
    static final float E4 = 0.001381467911414802f;

    private PlainRows() {}

    /** {@code exp(x) = 2^k exp(r)}; results below the smallest normal number are 0. */
    private static float exp(float x) {
        float bounded = x < LOWEST ? LOWEST : x > HIGHEST ? HIGHEST : x;
        float shifted = Math.fma(bounded, LOG2_E, MAGIC);
        float k = shifted - MAGIC;
        float r = Math.fma(k, -LN2_LOW, Math.fma(k, -LN2_HIGH, bounded));
        float p = Math.fma(r, Math.fma(r, Math.fma(r, Math.fma(r, E4, E3), E2), E1), E0);
        float e = Math.fma(r * r, p, r) + 1;
        return e * Float.intBitsToFloat(Float.floatToRawIntBits(shifted + BIAS) << 23);
    }

    @Override
    public float max(MemorySegment x, long xAt, int n) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            float value = x.get(F, xAt + i * 4L);
            max = value > max ? value : max;
        }
        return max;
    }

    @Override
    public float sum(MemorySegment x, long xAt, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += x.get(F, xAt + i * 4L);
        }
        return (float) sum;
    }

    @Override
    public float squares(MemorySegment x, long xAt, float mean, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            double centred = x.get(F, xAt + i * 4L) - mean;
            sum += centred * centred;
        }
        return (float) sum;
    }

    @Override
    public float dot(MemorySegment x, long xAt, MemorySegment y, long yAt, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (double) x.get(F, xAt + i * 4L) * y.get(F, yAt + i * 4L);
        }
        return (float) sum;
    }

    @Override
    public float dot(MemorySegment g, long gAt, MemorySegment w, long wAt, MemorySegment x, long xAt, float mean, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (double) g.get(F, gAt + i * 4L) * w.get(F, wAt + i * 4L) * (x.get(F, xAt + i * 4L) - mean);
        }
        return (float) sum;
    }

    @Override
    public float exp(MemorySegment x, long xAt, float shift, float scale, float offset, MemorySegment y, long yAt, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            float value = Math.fma(exp(x.get(F, xAt + i * 4L) - shift), scale, offset);
            y.set(F, yAt + i * 4L, value);
            sum += value;
        }
        return (float) sum;
    }

    @Override
    public void affine(MemorySegment x, long xAt, float scale, float offset, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            y.set(F, yAt + i * 4L, Math.fma(x.get(F, xAt + i * 4L), scale, offset));
        }
    }

    @Override
    public void add(MemorySegment x, long xAt, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            y.set(F, yAt + i * 4L, y.get(F, yAt + i * 4L) + x.get(F, xAt + i * 4L));
        }
    }

    @Override
    public void multiply(MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            y.set(F, yAt + i * 4L, a.get(F, aAt + i * 4L) * b.get(F, bAt + i * 4L));
        }
    }

    @Override
    public void multiplyAdd(
            MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment c, long cAt, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            y.set(F, yAt + i * 4L, Math.fma(a.get(F, aAt + i * 4L), b.get(F, bAt + i * 4L), c.get(F, cAt + i * 4L)));
        }
    }

    @Override
    public void silu(MemorySegment x, long xAt, int n) {
        for (int i = 0; i < n; i++) {
            float value = x.get(F, xAt + i * 4L);
            float e = exp(-Math.abs(value));
            x.set(F, xAt + i * 4L, value * ((value < 0 ? e : 1) / (e + 1)));
        }
    }

    @Override
    public void share(MemorySegment a, long aAt, MemorySegment b, long bAt, float c, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            y.set(F, yAt + i * 4L, a.get(F, aAt + i * 4L) * (b.get(F, bAt + i * 4L) - c));
        }
    }

    @Override
    public void norm(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment w, long wAt, MemorySegment y, long yAt, int n) {
        for (int i = 0; i < n; i++) {
            y.set(F, yAt + i * 4L, (x.get(F, xAt + i * 4L) - mean) * scale * w.get(F, wAt + i * 4L));
        }
    }

    @Override
    public void normGradient(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment w, long wAt, MemorySegment g, long gAt,
            float c, float d, MemorySegment dx, long dxAt, int n) {
        for (int i = 0; i < n; i++) {
            float h = g.get(F, gAt + i * 4L) * w.get(F, wAt + i * 4L) - c;
            dx.set(F, dxAt + i * 4L, scale * Math.fma(x.get(F, xAt + i * 4L) - mean, -d, h));
        }
    }

    @Override
    public void weightGradient(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment g, long gAt, MemorySegment dw, long dwAt, int n) {
        for (int i = 0; i < n; i++) {
            float unit = (x.get(F, xAt + i * 4L) - mean) * scale;
            dw.set(F, dwAt + i * 4L, Math.fma(g.get(F, gAt + i * 4L), unit, dw.get(F, dwAt + i * 4L)));
        }
    }
}
