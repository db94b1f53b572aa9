package dev.gatun.layers;

import dev.gatun.layers.memory.DotMemory;
import dev.gatun.layers.memory.FastMemory;
import dev.gatun.layers.memory.Loss;
import dev.gatun.layers.memory.MemoryAsGate;
import dev.gatun.layers.memory.MemoryAsLayer;
import dev.gatun.layers.memory.MemoryLayer;
import dev.gatun.layers.memory.Network;
import dev.gatun.layers.memory.Rule;
import dev.gatun.layers.memory.Setup;
import java.util.List;

/**
 * The laws for Titans, the ATLAS family, and both beside attention. Atlas moves by small steps here: each of its steps has unit
 * size times the rate whatever the gradient, and Newton-Schulz multiplies rounding by up to 485, so that larger ones make two ways
 * of rounding drift apart; the appendix' rule, whose steps know no rate, is compared on short sequences in {@code MemoryTest}.
 */
class MemoryLawsTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        return List.of(
                fast("titans, linear, chunks of 1", Network.LINEAR, Rule.GDM, Loss.SQUARED, 1, 1, 0),
                fast("titans, 2 layers, chunks of 5", Network.DEEP, Rule.GDM, Loss.SQUARED, 5, 1, 0),
                fast("titans, 3 layers, post-norm, chunks of 4", Network.mlp(3).withResidual().withPostnorm(), Rule.GDM, Loss.SQUARED, 4, 1, 0),
                fast("omega, window of 3", Network.DEEP, Rule.GDM, Loss.SQUARED, 4, 3, 0),
                fast("omeganet, degree 2", Network.DEEP, Rule.GD, Loss.SQUARED, 3, 2, 2),
                fast("atlas", Network.DEEP, Rule.MUON, Loss.SQUARED, 4, 3, 0),
                fast("atlas++", Network.GATED, Rule.MUON, Loss.SQUARED, 3, 2, 0),
                fast("deep linear attention", Network.mlp(2), Rule.GD, Loss.DOT, 3, 1, 0),
                fast("windowed linear attention", Network.LINEAR, Rule.GD, Loss.DOT, 1, 4, 0),
                new Kind("deep transformer", p -> MemoryLayer.of(p, WIDTH, 2, 1, new DotMemory.Config(Loss.DOT, 2))),
                new Kind("dot", p -> MemoryLayer.of(p, WIDTH, 2, 0.1, DotMemory.Config.dot(2))),
                new Kind("memory as a gate", p -> new MemoryAsGate(p, setup(Network.DEEP, Rule.GDM, Loss.SQUARED, 4, 1, 0).most(0.05),
                        attention(), 5, 3), false), // an attention with a prefix drops keys now and then
                new Kind("memory as a layer", p -> new MemoryAsLayer(p, setup(Network.DEEP, Rule.MUON, Loss.SQUARED, 4, 2, 0).most(0.02),
                        attention(), 5, 3)));
    }

    private static SoftmaxAttention.Config attention() {
        return SoftmaxAttention.Config.of(WIDTH, 2).rope(0, 0);
    }

    private static Kind fast(String name, Network network, Rule rule, Loss loss, long chunk, long window, int degree) {
        Setup setup = setup(network, rule, loss, chunk, window, degree).most(rule == Rule.MUON ? 0.02 : (network == Network.LINEAR ? 0.1 : 0.02) / window);
        return new Kind(name, p -> MemoryLayer.of(p, setup));
    }

    private static Setup setup(Network network, Rule rule, Loss loss, long chunk, long window, int degree) {
        return Setup.titans(WIDTH, 2).memory(new FastMemory.Config(network, 5, rule, loss, chunk, window, degree));
    }

    /** Twice the weights that a memory starts with are as far as its own training stays stable; gates of 0 and 1 are {@code MemoryTest}'s. */
    @Override
    double extreme() {
        return 2;
    }
}
