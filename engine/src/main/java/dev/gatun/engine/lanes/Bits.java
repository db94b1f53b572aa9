package dev.gatun.engine.lanes;

/**
 * The bit operations of {@link Expr.Op} and the storage formats, one number at a time. Emitted scalar loops call these;
 * vector loops do the same on whole vectors.
 */
final class Bits {

    private Bits() {}

    static float shift(float x) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(x) << 23);
    }

    static double shift(double x) {
        return Double.longBitsToDouble(Double.doubleToRawLongBits(x) << 52);
    }

    static float exponent(float x) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(x) >>> 23 | 0x4B000000);
    }

    static double exponent(double x) {
        return Double.longBitsToDouble(Double.doubleToRawLongBits(x) >>> 52 | 0x4330000000000000L);
    }

    static float mantissa(float x) {
        return Float.intBitsToFloat(Float.floatToRawIntBits(x) & 0x007FFFFF | 0x3F800000);
    }

    static double mantissa(double x) {
        return Double.longBitsToDouble(Double.doubleToRawLongBits(x) & 0x000FFFFFFFFFFFFFL | 0x3FF0000000000000L);
    }

    /** A bfloat16's value. */
    static float fromBfloat16(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** The nearest bfloat16, the even one of two; NaN stays NaN. */
    static short toBfloat16(float x) {
        int bits = Float.floatToRawIntBits(x);
        return (short) (x != x ? bits >>> 16 | 0x40 : bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
    }
}
