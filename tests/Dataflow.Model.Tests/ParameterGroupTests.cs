namespace Dataflow.Model.Tests;

/// <summary>Groups of parameters by patterns of names.</summary>
public class ParameterGroupTests
{
    private static readonly ModelConfig Model = ModelConfigReader.Parse(
        """
        {"name": "twelve", "vocab_size": 300, "model_dim": 64, "n_layers": 12, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16,
         "ffn_dim": 176, "rope_theta": 5e5, "rms_norm_eps": 1e-6}
        """,
        "file"
    );

    [Theory]
    [InlineData("*norm*", 25)]
    [InlineData("model.layers.*.mlp.*", 36)]
    [InlineData("model.layers.[0-1].mlp.*", 6)]
    [InlineData("model.layers.[1].mlp.up_proj.weight", 1)]
    [InlineData("*[1].*up*", 1)]
    [InlineData("model.layers.[10-].*", 18)]
    [InlineData("model.layers.[2-3].self_attn.?_proj.weight", 8)]
    [InlineData("model.embed_tokens.weight | lm_head.*|*embed*", 2)]
    [InlineData("*", 111)]
    public void A_pattern_means_so_many_tensors(string pattern, int count)
    {
        var meant = NamePattern.Parse(pattern).Of(Model, "--group");
        Assert.Equal(count, meant.Count);
        Assert.Equal(meant.Select(p => p.Name), NamedParameter.All(Model).Select(p => p.Name).Where(NamePattern.Parse(pattern).Matches));
    }

    [Theory]
    [InlineData("", "'' is no pattern of names")]
    [InlineData("*norm*|", "is no pattern of names")]
    [InlineData("layers.[1", "[1 is no range of numbers")]
    [InlineData("layers.[3-1].*", "[3-1] is no range of numbers")]
    [InlineData("layers.[a-b].*", "[a-b] is no range of numbers")]
    [InlineData("layers.[1-2-3].*", "is no range of numbers; give one such as [0-15], [24-] or [3]")]
    [InlineData("layers.[-3].*", "is no range of numbers")]
    [InlineData(
        "model.layers.*.mlp.gate.weight",
        "no tensor of twelve is called 'model.layers.*.mlp.gate.weight'; the nearest are model.layers.0.mlp.gate_proj.weight, "
    )]
    [InlineData("lm_heads.*", "called 'lm_heads.*'; the nearest are lm_head.weight, ")]
    [InlineData("*norm*|model.layers.[12-20].*", "is called 'model.layers.[12-20].*'")]
    public void A_pattern_that_means_nothing_is_refused(string pattern, string why) =>
        Assert.Contains(
            why,
            Assert.Throws<UserErrorException>(() => NamePattern.Parse(pattern).Of(Model, "--group")).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("*norm*:factor=0.1,decay=0")]
    [InlineData("*:lr=0.0003")]
    [InlineData("a|b:decay=0.25")]
    public void A_group_is_written_as_it_is_read(string text) => Assert.Equal(text, ParameterGroup.Parse(text).ToString());

    [Theory]
    [InlineData("*norm*", "is no group of parameters")]
    [InlineData("*norm*:", "is no group of parameters")]
    [InlineData(":decay=0", "is no group of parameters")]
    [InlineData("*:rate=1", "a group has no rate; it may have lr, factor and decay")]
    [InlineData("*:decay", "decay takes a number from 0 on, as in decay=0.1")]
    [InlineData("*:decay=-1", "decay takes a number from 0 on")]
    [InlineData("*:lr=nan", "lr takes a number from 0 on")]
    [InlineData("*:lr=1,lr=2", "lr was given twice")]
    [InlineData("*:lr=1,factor=2", "lr and factor were both given")]
    public void What_is_no_group_is_refused(string text, string why) =>
        Assert.Contains(why, Assert.Throws<UserErrorException>(() => ParameterGroup.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void The_last_group_that_sets_a_number_decides()
    {
        var groups = new ParameterGroups
        {
            NoDecay = ParameterGroups.ParseClasses("norms,biases"),
            Groups =
            [
                ParameterGroup.Parse("model.layers.*:factor=0.5,decay=0.3"),
                ParameterGroup.Parse("model.layers.[6-].*:lr=4e-3"),
                ParameterGroup.Parse("*.mlp.*:decay=0.2"),
            ],
        };
        groups.Check(Model, 1e-3f);
        UpdateScale Of(string name) => groups.ScaleOf(NamedParameter.All(Model).Single(p => p.Name == name), 1e-3f);
        Assert.Equal(UpdateScale.One, Of("lm_head.weight"));
        Assert.Equal(new UpdateScale(1, 0, 0), Of("model.norm.weight"));
        Assert.Equal(new UpdateScale(0.5f, 0, 0.3f), Of("model.layers.5.input_layernorm.weight"));
        Assert.Equal(new UpdateScale(4, 0, 0.2f), Of("model.layers.6.mlp.up_proj.weight"));
        Assert.Equal("norms,biases", ParameterGroups.NameOf(groups.NoDecay));
        Assert.Equal(ParameterClasses.None, ParameterGroups.ParseClasses("none"));
    }

    [Theory]
    [InlineData("*:lr=1e-3", 0, "its rate goes over the steps as --lr does, which is 0")]
    [InlineData("*:factor=1e38", 100, "its learning rate is no finite number")]
    [InlineData("*norm:decay=0", 1, "no tensor of twelve is called '*norm'")]
    public void Groups_that_cannot_be_are_refused(string group, float rate, string why)
    {
        var groups = new ParameterGroups { Groups = [ParameterGroup.Parse(group)] };
        Assert.Contains(
            why,
            Assert.Throws<UserErrorException>(() => groups.Check(Model, rate)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "'norm' is no class of parameters; give some of norms,biases,embeddings, or none",
            Assert.Throws<UserErrorException>(() => ParameterGroups.ParseClasses("norm")).Message,
            StringComparison.Ordinal
        );
    }
}
