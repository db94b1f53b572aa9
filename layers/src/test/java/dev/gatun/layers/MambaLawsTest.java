package dev.gatun.layers;

import dev.gatun.layers.Mamba.Config;
import java.util.List;

class MambaLawsTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        Config small = Config.of(WIDTH).states(3).rank(2);
        return List.of(
                new Kind("plain", p -> new Mamba(p, small)),
                new Kind("16 states, pieces of 7", p -> new Mamba(p, Config.of(WIDTH).chunk(7))),
                new Kind("no filter", p -> new Mamba(p, small.taps(1).depth(4))));
    }
}
