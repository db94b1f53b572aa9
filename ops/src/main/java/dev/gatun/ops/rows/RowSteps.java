package dev.gatun.ops.rows;

import java.lang.foreign.MemorySegment;

/**
 * What kernels over rows of F32 are made of: flat loops over {@code n} neighbouring floats, each given by
 * its memory and first byte. A kernel is written once over these and has a plain and a vector form.
 */
public interface RowSteps {

    /** The plain loops. */
    static RowSteps plain() {
        return PlainRows.STEPS;
    }

    /** The largest, NaNs passed over; {@code -inf} of nothing. */
    float max(MemorySegment x, long xAt, int n);

    /** {@code sum of x}. */
    float sum(MemorySegment x, long xAt, int n);

    /** {@code sum of (x - mean)²}. */
    float squares(MemorySegment x, long xAt, float mean, int n);

    /** {@code sum of x y}. */
    float dot(MemorySegment x, long xAt, MemorySegment y, long yAt, int n);

    /** {@code sum of g w (x - mean)}. */
    float dot(MemorySegment g, long gAt, MemorySegment w, long wAt, MemorySegment x, long xAt, float mean, int n);

    /** {@code y = scale exp(x - shift) + offset}; returns the sum of y. */
    float exp(MemorySegment x, long xAt, float shift, float scale, float offset, MemorySegment y, long yAt, int n);

    /** {@code y = scale x + offset}. */
    void affine(MemorySegment x, long xAt, float scale, float offset, MemorySegment y, long yAt, int n);

    /** {@code y += x}. */
    void add(MemorySegment x, long xAt, MemorySegment y, long yAt, int n);

    /** {@code y = a b}. */
    void multiply(MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment y, long yAt, int n);

    /** {@code y = a b + c}. */
    void multiplyAdd(
            MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment c, long cAt, MemorySegment y, long yAt, int n);

    /** {@code x = x σ(x)}. */
    void silu(MemorySegment x, long xAt, int n);

    /** {@code y = a (b - c)}. */
    void share(MemorySegment a, long aAt, MemorySegment b, long bAt, float c, MemorySegment y, long yAt, int n);

    /** {@code y = (x - mean) scale w}. */
    void norm(MemorySegment x, long xAt, float mean, float scale, MemorySegment w, long wAt, MemorySegment y, long yAt, int n);

    /** {@code dx = scale (g w - c - (x - mean) d)}. */
    void normGradient(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment w, long wAt, MemorySegment g, long gAt,
            float c, float d, MemorySegment dx, long dxAt, int n);

    /** {@code dw += g (x - mean) scale}. */
    void weightGradient(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment g, long gAt, MemorySegment dw, long dwAt, int n);
}
