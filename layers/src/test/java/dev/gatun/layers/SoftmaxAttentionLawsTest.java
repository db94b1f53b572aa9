package dev.gatun.layers;

import dev.gatun.layers.SoftmaxAttention.Config;
import java.util.List;

class SoftmaxAttentionLawsTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        Config plain = Config.of(WIDTH, 4).kvHeads(2);
        return List.of(
                kind("plain", plain),
                kind("normed, no positions", plain.qkNorm(true).rope(500, 0)),
                kind("window 3", plain.window(3, 0)),
                kind("window 1", plain.window(1, 0)),
                // Keys behind a prefix are dropped now and then, so how many are left depends on the cuts.
                new Kind("window 4, prefix 2", p -> new SoftmaxAttention(p, plain.window(4, 2)), false),
                kind("capped", Config.of(WIDTH, 2).headSize(6).rope(10_000, 4).softcap(5)));
    }

    private static Kind kind(String name, Config config) {
        return new Kind(name, p -> new SoftmaxAttention(p, config));
    }
}
