package dev.gatun.verify;

import dev.gatun.engine.Tensor;
import dev.gatun.layers.Form;
import dev.gatun.layers.Step;
import dev.gatun.layers.memory.DotMemory;
import dev.gatun.layers.memory.FastMemory;
import dev.gatun.layers.memory.Loss;
import dev.gatun.layers.memory.Memory;
import dev.gatun.layers.memory.Polynomial;
import dev.gatun.layers.memory.Rule;
import dev.gatun.layers.memory.Setup;
import java.util.LinkedHashMap;
import java.util.Map;

/** Golden cases of the ATLAS family: memories with the Omega rule and their relatives, polynomial features, the layer. */
final class GoldenAtlas {

    private static final Map<String, Rule> RULES =
            Map.of("gd", Rule.GD, "gdm", Rule.GDM, "muon", Rule.MUON, "muon_in", Rule.MUON_IN);

    private GoldenAtlas() {}

    static Map<String, Tensor> run(GoldenCase c) {
        if (c.has("in.x") && !c.has("param.wq")) {
            return Map.of("y", Polynomial.polynomial(c.get("in.x"), c.get("param.poly")));
        }
        if (!c.text("rule", "").isEmpty()) {
            return dot(c);
        }
        FastMemory.Config config = config(c);
        if (c.has("in.q")) {
            return GoldenTitans.memory(c, config);
        }
        return c.text("variant", "").isEmpty() ? GoldenTitans.layer(c, setup(c)) : GoldenTitans.arranged(c, setup(c));
    }

    /** The memory of a case. DLA and SWLA say no optimiser: they are gradient steps on the loss of linear attention. */
    private static FastMemory.Config config(GoldenCase c) {
        boolean squared = !c.text("opt", "").isEmpty();
        Rule rule = RULES.get(c.text("opt", "gd"));
        if (rule == null) {
            throw new GoldenCase.Unknown("unknown opt \"" + c.text("opt", "") + "\"");
        }
        int degree = c.has("param.poly") ? (int) c.stored("param.poly").dim(0) - 1 : (int) c.whole("degree", 0);
        return new FastMemory.Config(GoldenTitans.network(c), Math.max(1, c.whole("hid", 1)), rule,
                squared ? Loss.SQUARED : Loss.DOT, c.whole("chunk", 1), c.whole("window", 1), degree);
    }

    /** The layer of a model's case: muon, features of degree 2. */
    static Setup modelSetup(GoldenCase c) {
        FastMemory.Config config = FastMemory.Config.atlas(GoldenTitans.network(c), c.whole("hid", 1), c.whole("chunk", 1), c.whole("window", 1), 2);
        return Setup.atlas(c.whole("D", 0), c.whole("H", 0)).memory(config).most(c.number("lr_max"));
    }

    /** The layer of a case. */
    static Setup setup(GoldenCase c) {
        return Setup.atlas(c.whole("D", 0), c.whole("H", 0)).memory(config(c)).most(c.number("lr_max")).taps(c.whole("K", 0));
    }

    private static Map<String, Tensor> dot(GoldenCase c) {
        Tensor q = c.get("in.q");
        Tensor v = c.get("in.v");
        Loss loss = switch (c.text("rule", "")) {
            case "hebbian" -> Loss.DOT;
            case "omega" -> Loss.SQUARED;
            default -> throw new GoldenCase.Unknown("unknown rule \"" + c.text("rule", "") + "\"");
        };
        DotMemory memory = new DotMemory(c.dtype(), q.dim(1), q.dim(3), v.dim(3), new DotMemory.Config(loss, c.whole("window", 1)));
        Memory.Tokens tokens = new Memory.Tokens(q, c.get("in.k"), v, c.find("in.retain"), null, c.find("in.lr"), c.find("in.gamma"));
        Step<DotMemory.State> step = memory.forward(tokens, memory.start(q.dim(0)), Form.PARALLEL);
        Map<String, Tensor> outputs = new LinkedHashMap<>();
        outputs.put("y", step.y());
        outputs.put("u", step.state().sums());
        return outputs;
    }
}
