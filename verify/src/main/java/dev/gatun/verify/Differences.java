package dev.gatun.verify;

import java.util.function.DoubleUnaryOperator;

/**
 * The slope of a function at zero from its values alone: central differences at halved steps,
 * extrapolated to step zero, and the entry of the table that agrees best with its neighbours
 * (Ridders 1982, "Accurate computation of F'(x) and F'(x) F''(x)"). Large steps lose digits to
 * curvature and may cross a kink, small ones to rounding; the table finds the middle by itself.
 */
final class Differences {

    private static final double FIRST_STEP = 0x1p-5;
    private static final int ROWS = 14;

    private Differences() {}

    /** The slope of {@code f} at 0; the search ends early where the error is surely below {@code enough}. */
    static double slope(DoubleUnaryOperator f, double enough) {
        double[] above = new double[0];
        double best = Double.NaN;
        double bestError = Double.POSITIVE_INFINITY;
        double step = FIRST_STEP;
        for (int row = 0; row < ROWS; row++, step /= 2) {
            double[] table = new double[row + 1];
            table[0] = (f.applyAsDouble(step) - f.applyAsDouble(-step)) / (2 * step);
            double factor = 4;
            for (int column = 1; column <= row; column++, factor *= 4) {
                table[column] = (table[column - 1] * factor - above[column - 1]) / (factor - 1);
                double error = Math.max(Math.abs(table[column] - table[column - 1]), Math.abs(table[column] - above[column - 1]));
                if (error <= bestError) { // false for NaN: a step that leaves the domain counts for nothing
                    bestError = error;
                    best = table[column];
                }
            }
            if (bestError <= enough) {
                break;
            }
            above = table;
        }
        return best;
    }
}
