package dev.gatun.layers;

import dev.gatun.layers.SLstm.Config;
import java.util.List;

class SLstmLawsTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        return List.of(
                new Kind("two heads", p -> new SLstm(p, Config.of(WIDTH, 2))),
                new Kind("one head, pieces of 7", p -> new SLstm(p, Config.of(WIDTH, 1).chunk(7).taps(2))),
                new Kind("heads of one feature", p -> new SLstm(p, Config.of(WIDTH, 8).layer(1, 3))));
    }
}
