package dev.gatun.cli;

/**
 * When a run ends: after so many steps, after so much time, or at whichever comes first. 0 sets no limit.
 *
 * @param steps steps in all
 * @param seconds training time in all
 */
record Budget(long steps, double seconds) {

    /** How much is used up, from 0 to 1. */
    double used(long step, double elapsed) {
        double bySteps = steps == 0 ? 0 : (double) step / steps;
        double byTime = seconds == 0 ? 0 : elapsed / seconds;
        return Math.min(1, Math.max(bySteps, byTime));
    }

    /** Whether the end is reached. */
    boolean spent(long step, double elapsed) {
        return used(step, elapsed) >= 1;
    }

    /** The seconds that are left, when {@code pace} is what a step takes now. */
    double left(long step, double elapsed, double pace) {
        double bySteps = steps == 0 ? Double.POSITIVE_INFINITY : (steps - step) * pace;
        double byTime = seconds == 0 ? Double.POSITIVE_INFINITY : seconds - elapsed;
        return Math.max(0, Math.min(bySteps, byTime));
    }
}
