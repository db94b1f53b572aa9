package dev.gatun.verify;

import static dev.gatun.autograd.Autograd.grad;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.Params;
import dev.gatun.layers.model.LanguageModel;
import dev.gatun.layers.optim.AdamW;
import java.util.LinkedHashMap;
import java.util.Map;

/** Golden cases of a language model of one block, trained for a few steps. */
final class GoldenModels {

    /** Names in the files and in our model. */
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("embed", "embed.weight"),
            Map.entry("head", "head.weight"),
            Map.entry("norm1", "blocks.0.mixer_norm.weight"),
            Map.entry("norm2", "blocks.0.ffn_norm.weight"),
            Map.entry("norm3", "norm.weight"),
            Map.entry("ffn_gate", "blocks.0.ffn.gate.weight"),
            Map.entry("ffn_up", "blocks.0.ffn.up.weight"),
            Map.entry("ffn_down", "blocks.0.ffn.down.weight"),
            Map.entry("mixer.wq", "blocks.0.mixer.query.weight"),
            Map.entry("mixer.wk", "blocks.0.mixer.key.weight"),
            Map.entry("mixer.wv", "blocks.0.mixer.value.weight"),
            Map.entry("mixer.wo", "blocks.0.mixer.out.weight"));

    private GoldenModels() {}

    static Map<String, Tensor> run(GoldenCase c) {
        if (!c.text("mixer", "").equals("attention")) {
            throw new GoldenCase.Unknown("unknown mixer \"" + c.text("mixer", "") + "\"");
        }
        Tensor ids = c.get("in.ids");
        Tensor before = ids.slice(1, 0, ids.dim(1) - 1);
        Tensor after = ids.slice(1, 1, ids.dim(1));
        Map<String, Tensor> outputs = new LinkedHashMap<>();

        LanguageModel trained = model(c);
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
        NAMES.forEach((name, parameter) -> outputs.put("final." + name, params.entries().get(parameter)));

        // A model of its own: training overwrote the parameters of the other, and this loss is still to be differentiated.
        outputs.put("loss0", model(c).loss(before, after));
        return outputs;
    }

    private static LanguageModel model(GoldenCase c) {
        long heads = c.whole("H", 1);
        LanguageModel model = new LanguageModel(Params.fresh(Key.of(1), c.dtype()), new LanguageModel.Config("attention",
                c.whole("V", 0), c.whole("D", 0), 1, heads, heads / 2, c.whole("ffn", 0), c.whole("T", 0), false,
                c.number("base", 10_000), 0, false));
        for (String name : c.names()) {
            if (name.startsWith("param.")) {
                String parameter = NAMES.get(name.substring("param.".length()));
                if (parameter == null) {
                    throw new GoldenCase.Unknown("unknown parameter \"" + name + "\"");
                }
                c.put(name, model.params(), parameter);
            }
        }
        return model;
    }
}
