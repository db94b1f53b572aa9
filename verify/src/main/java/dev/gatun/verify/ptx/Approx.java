package dev.gatun.verify.ptx;

/**
 * How far approximate functions are off. PTX bounds the error of {@code ex2.approx} and {@code rcp.approx} by about two
 * units in the last place and leaves the rest to the device; so they are rounded correctly here, or, with
 * {@code -Dgatun.cuda.approx=worst}, moved by up to two units, each value by its own, which a kernel must bear as well.
 */
final class Approx {

    private static final boolean WORST = "worst".equals(System.getProperty("gatun.cuda.approx"));
    private static final int UNITS = 2;

    private Approx() {}

    static float near(float exact) {
        return WORST ? moved(exact) : exact;
    }

    /** The value moved by -2 to 2 units in the last place; zeros, infinities and NaN stay. */
    static float moved(float exact) {
        if (exact == 0 || !Float.isFinite(exact)) {
            return exact;
        }
        int bits = Float.floatToRawIntBits(exact);
        int by = Math.floorMod(bits * 0x9E3779B9 >>> 7, 2 * UNITS + 1) - UNITS;
        float moved = Float.intBitsToFloat(bits + by);
        return Float.isFinite(moved) && Math.abs(moved) >= Float.MIN_NORMAL ? moved : exact;
    }
}
