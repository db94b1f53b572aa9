package dev.gatun.layers.memory;

import dev.gatun.layers.Params;

/**
 * A layer's memory and what surrounds it.
 *
 * @param width features of a token
 * @param heads memories side by side, each for {@code width / heads} features
 * @param taps of the convolutions of a {@link MemoryLayer}; 0 for none
 * @param most what the rate comes up to
 * @param weighed whether the tokens of a window, or the one token, have gates γ
 * @param memory what a memory is
 */
public record Setup(long width, long heads, long taps, double most, boolean weighed, FastMemory.Config memory) {

    /**
     * Titans: two layers with four times as many hidden features, chunks of 16, a rate up to 0.1. All tokens of a chunk step from the same
     * weights, and with a momentum of 0.7 their steps add up: at a rate up to 1 the weights grow without end when keys are alike.
     */
    public static Setup titans(long width, long heads) {
        return new Setup(width, heads, MemoryLayer.TAPS, 0.1, false, FastMemory.Config.titans(Network.DEEP, hidden(width, heads), 16));
    }

    /** OmegaNet: plain gradient steps over a window of 8, a rate up to 0.05: each token is counted by eight steps. */
    public static Setup omegaNet(long width, long heads) {
        return new Setup(width, heads, MemoryLayer.TAPS, 0.05, true,
                new FastMemory.Config(Network.DEEP, hidden(width, heads), Rule.GD, Loss.SQUARED, 16, 8, 0));
    }

    /** Atlas: orthogonal steps over a window of 8; they have unit size, hence a rate up to 0.1. */
    public static Setup atlas(long width, long heads) {
        return new Setup(width, heads, MemoryLayer.TAPS, 0.1, true, FastMemory.Config.atlas(Network.DEEP, hidden(width, heads), 16, 8, 0));
    }

    /** Atlas++: Atlas with the gated network. */
    public static Setup atlasGated(long width, long heads) {
        return new Setup(width, heads, MemoryLayer.TAPS, 0.1, true, FastMemory.Config.atlas(Network.GATED, hidden(width, heads), 16, 8, 0));
    }

    /** Deep linear attention: two layers, the loss of linear attention. */
    public static Setup deepLinear(long width, long heads) {
        return new Setup(width, heads, MemoryLayer.TAPS, 0.1, true,
                new FastMemory.Config(Network.mlp(2), hidden(width, heads), Rule.GD, Loss.DOT, 16, 1, 0));
    }

    /** Sliding-window linear attention: a linear memory and the loss of linear attention over a window of 8. */
    public static Setup windowedLinear(long width, long heads) {
        return new Setup(width, heads, MemoryLayer.TAPS, 0.1, true, new FastMemory.Config(Network.LINEAR, 1, Rule.GD, Loss.DOT, 16, 8, 0));
    }

    private static long hidden(long width, long heads) {
        return 4 * Math.max(1, width / Math.max(1, heads));
    }

    /** The same with other memories. */
    public Setup memory(FastMemory.Config other) {
        return new Setup(width, heads, taps, most, weighed || other.window() > 1, other);
    }

    /** The same with a rate up to another number. */
    public Setup most(double rate) {
        return new Setup(width, heads, taps, rate, weighed, memory);
    }

    /** The same with convolutions of so many taps; 0 for none. */
    public Setup taps(long count) {
        return new Setup(width, heads, count, most, weighed, memory);
    }

    MemoryPath<FastMemory.State> path(Params p, long convolutionTaps) {
        return new MemoryPath<>(p, width, heads, convolutionTaps, weighed ? memory.window() : 0, most, memory.rule().hasMomentum(),
                (q, h, size) -> new FastMemory(q, h, size, size, memory));
    }
}
