package dev.gatun.layers;

import dev.gatun.layers.DeltaNet.Config;
import java.util.List;

class DeltaNetLawsTest extends SequenceLayerLaws {

    /** Keys have four features at least: those of fewer are now and then so short that their norm bends faster than differences can tell. */
    @Override
    List<Kind> kinds() {
        return List.of(
                new Kind("plain", p -> new DeltaNet(p, Config.of(WIDTH, 2))),
                new Kind("gated", p -> new DeltaNet(p, Config.gated(WIDTH, 2))),
                new Kind("overshooting, pieces of 7", p -> new DeltaNet(p, Config.of(WIDTH, 1).sizes(6, 5).negative(true).chunk(7))),
                new Kind("gated, overshooting, two taps", p -> new DeltaNet(p, Config.gated(WIDTH, 2).sizes(5, 3).negative(true).taps(2))));
    }
}
