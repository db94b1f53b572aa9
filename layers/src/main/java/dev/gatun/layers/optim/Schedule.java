package dev.gatun.layers.optim;

/** The learning rate of each step; the first step is 0. */
@FunctionalInterface
public interface Schedule {

    /** Rate of this step. */
    double rate(long step);

    /** The same rate always. */
    static Schedule constant(double rate) {
        return step -> rate;
    }

    /**
     * Up to {@code peak} in a straight line over {@code warmUp} steps, then down to {@code floor} along half a
     * cosine, which it reaches at step {@code total} and keeps. Loshchilov and Hutter 2016, arXiv 1608.03983.
     */
    static Schedule cosine(double peak, double floor, long warmUp, long total) {
        if (warmUp < 0 || total < warmUp) {
            throw new IllegalArgumentException("schedule: a warm-up of " + warmUp + " steps of " + total);
        }
        return step -> step < warmUp ? peak * (step + 1) / warmUp
                : decayed(peak, floor, total == warmUp ? 1 : (double) (step - warmUp) / (total - warmUp));
    }

    /** From {@code peak} at progress 0 to {@code floor} at progress 1 and after, along half a cosine. */
    static double decayed(double peak, double floor, double progress) {
        return floor + (peak - floor) * (1 + Math.cos(Math.PI * Math.clamp(progress, 0, 1))) / 2;
    }
}
