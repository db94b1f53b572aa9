package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.grad;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.LinearAttention;
import dev.gatun.layers.MLstm;
import dev.gatun.layers.Mamba;
import dev.gatun.layers.Params;
import dev.gatun.layers.SoftmaxAttention;
import dev.gatun.layers.memory.MemoryLayer;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.optim.AdamW;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/** Golden cases of a language model of one block, trained for a few steps. */
final class GoldenModels {

    private static final String MIXER = "blocks.0.mixer.";

    /** Names in the files and in our model. */
    private static final Map<String, String> NAMES = Map.of(
            "embed", "embed.weight",
            "head", "head.weight",
            "norm1", "blocks.0.mixer_norm.weight",
            "norm2", "blocks.0.ffn_norm.weight",
            "norm3", "norm.weight",
            "ffn_gate", "blocks.0.ffn.gate.weight",
            "ffn_up", "blocks.0.ffn.up.weight",
            "ffn_down", "blocks.0.ffn.down.weight");

    /** A mixer of the files: how it is made for a case, and its parameters' names there and in the layer. */
    private record Known(Function<GoldenCase, LanguageModel.Mixer> make, Map<String, String> names) {

        /** Names of all parameters of a model with this mixer. */
        Map<String, String> all() {
            Map<String, String> all = new LinkedHashMap<>(NAMES);
            names.forEach((name, parameter) -> all.put("mixer." + name, MIXER + parameter));
            return all;
        }
    }

    private static final Map<String, Known> MIXERS = mixers();

    private static Map<String, Known> mixers() {
        Map<String, Known> mixers = new HashMap<>();
        mixers.put("attention", new Known(c -> (p, m, block) -> new SoftmaxAttention(p, SoftmaxAttention.Config.of(m.width(), m.heads())
                .kvHeads(m.heads() / 2).rope(c.number("base", 10_000), m.width() / m.heads())), GoldenAttention.NAMES));
        mixers.put("mamba", new Known(c -> (p, m, block) -> new Mamba(p, GoldenMamba.config(c, m.width())), GoldenMamba.NAMES));
        mixers.put("linear_attention", new Known(c -> (p, m, block) -> new LinearAttention(p, LinearAttention.Config.of(m.width(), m.heads())),
                GoldenLinear.NAMES));
        mixers.put("mlstm", new Known(c -> (p, m, block) -> new MLstm(p, MLstm.Config.of(m.width(), m.heads())), GoldenMLstm.LAYER));
        mixers.put("titans", new Known(c -> (p, m, block) -> MemoryLayer.of(p, GoldenTitans.setup(c).taps(4)), GoldenTitans.NAMES));
        mixers.put("atlas", new Known(c -> (p, m, block) -> MemoryLayer.of(p, GoldenAtlas.modelSetup(c)), GoldenTitans.NAMES));
        return mixers;
    }

    private GoldenModels() {}

    static Map<String, Tensor> run(GoldenCase c) {
        Known known = MIXERS.get(c.text("mixer", ""));
        if (known == null) {
            throw new GoldenCase.Unknown("unknown mixer \"" + c.text("mixer", "") + "\"");
        }
        Tensor ids = c.get("in.ids");
        Tensor before = ids.slice(1, 0, ids.dim(1) - 1);
        Tensor after = ids.slice(1, 1, ids.dim(1));
        Map<String, Tensor> outputs = new LinkedHashMap<>();

        LanguageModel trained = model(c, known);
        Params params = trained.params();
        AdamW adamw = new AdamW(params, new AdamW.Settings(c.number("beta1"), c.number("beta2"), c.number("eps"), c.number("weight_decay")));
        double[] losses = new double[(int) c.whole("steps", 0) + 1];
        for (int step = 0; step < losses.length; step++) {
            try (Scope scope = Scope.open("step")) {
                Tensor loss = trained.loss(before, after);
                losses[step] = loss.item();
                if (step < losses.length - 1) {
                    adamw.step(grad(loss, params.values()), c.number("lr"));
                }
            }
        }
        outputs.put("losses", Tensor.of(DType.F64, losses));
        known.all().forEach((name, parameter) -> {
            if (c.has("out.final." + name)) {
                outputs.put("final." + name, params.entries().get(parameter));
            }
        });

        // A model of its own: training overwrote the parameters of the other, and this loss is still to be differentiated.
        outputs.put("loss0", model(c, known).loss(before, after));
        return outputs;
    }

    private static LanguageModel model(GoldenCase c, Known known) {
        long heads = c.whole("H", 1);
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(1), c.dtype()), new LanguageModel.Config(c.text("mixer", ""),
                c.whole("V", 0), c.whole("D", 0), 1, heads, heads, c.whole("ffn", 0), c.whole("T", 0), false, 10_000, 0, false),
                known.make.apply(c));
        c.putAll("param.", known.all(), model.params(), "");
        return model;
    }
}
