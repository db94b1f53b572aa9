/** Parameters, layers, models, optimisers and their files. */
module dev.gatun.layers {
    requires transitive dev.gatun.ops;
    requires transitive dev.gatun.autograd;
}
