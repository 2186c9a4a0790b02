using Dataflow.Conformance;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Cpu.Tests;

/// <summary>Adapters of experts in files: PEFT's names and shapes, written as they were read; and what is refused of them.</summary>
public sealed class ExpertAdapterFileTests
{
    private static readonly AdapterConfig s_stacks = new()
    {
        Rank = 4,
        Alpha = 8,
        Targets = ModuleNames.List([]),
        TargetParameters = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
        RankPattern = [KeyValuePair.Create(@"0\.mlp\.experts\.down_proj", 2.0)],
    };

    /// <summary>PEFT wraps the module for one tensor after the other, and the last is outermost.</summary>
    [Fact]
    public void Names_and_shapes_of_tensors_of_all_experts_are_those_of_PEFT()
    {
        var model = GoldenCase.OfFamily("gpt-oss").Model.Adapting(s_stacks);
        Assert.Equal(
            [
                "0.mlp.experts.base_layer.lora_A.weight [24, 32]",
                "0.mlp.experts.base_layer.lora_B.weight [32, 24]",
                "0.mlp.experts.lora_A.weight [12, 16]",
                "0.mlp.experts.lora_B.weight [32, 12]",
            ],
            Names(model, layer: 0));
        var one = model.WithoutAdapter().Adapting(s_stacks with { TargetParameters = ["1.mlp.experts.gate_up_proj"] });
        Assert.Empty(Names(one, layer: 0));
        Assert.Equal(["1.mlp.experts.lora_A.weight [24, 32]", "1.mlp.experts.lora_B.weight [32, 24]"], Names(one, layer: 1));
        Assert.All(
            NamedParameter.All(model).Where(p => !p.Spec.Name.IsOfAdapter()), p => Assert.False(p.Spec.IsTrained, p.Name));
    }

    [Fact]
    public void Experts_that_are_stored_one_by_one_have_an_A_and_a_B_each()
    {
        var config = s_stacks with { Targets = ModuleNames.List(["w1", "w2"]), TargetParameters = [], RankPattern = [] };
        var names = Names(GoldenCase.OfFamily("mixtral").Model.Adapting(config), layer: 1);
        Assert.Equal(4 * 8, names.Count);
        Assert.Contains("1.block_sparse_moe.experts.7.w2.lora_B.weight [32, 4]", names);
        Assert.DoesNotContain(names, n => n.Contains(".w3.", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("gpt-oss", true)]
    [InlineData("mixtral", false)]
    public void It_is_written_as_it_was_read_and_merged_into_its_experts(string name, bool stacks)
    {
        var golden = GoldenCase.OfFamily(name);
        var config = stacks ? s_stacks : s_stacks with
        {
            Targets = ModuleNames.List(["w1", "w2", "w3"]),
            TargetParameters = [],
            RankPattern = [],
        };
        var model = golden.Model.Adapting(config);
        using var own = Checkpoint.Open(golden.Folder);
        var begun = AdaptedWeights.Begin(own.WeightsOf(model), seed: 7);
        Assert.Equal(
            GoldenCase.Tensors(own.WeightsOf(golden.Model)).Values.SelectMany(v => v),
            GoldenCase.Tensors(new MergedWeights(begun)).Values.SelectMany(v => v));
        string first = Directory.CreateTempSubdirectory().FullName, second = Directory.CreateTempSubdirectory().FullName;
        AdapterExport.Write(first, begun, DType.Float32, "base");
        using (var adapter = AdapterFolder.Open(first))
        {
            Assert.Equal(config, adapter.Config);
            AdapterExport.Write(second, adapter.On(own.WeightsOf(model)), DType.Float32, "base");
        }

        foreach (string file in new[] { AdapterFolder.WeightsName, AdapterConfigFile.FileName })
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(first, file)), File.ReadAllBytes(Path.Combine(second, file)));
        }

        Directory.Delete(first, recursive: true);
        Directory.Delete(second, recursive: true);
    }

    [Theory]
    [InlineData("mixtral", "w1,gate", "", "which chooses experts; an adapter of it is not supported")]
    [InlineData("mixtral", "experts.0.w1", "", "and not the same of every expert of that layer")]
    [InlineData("mixtral", "q_proj", "mlp.experts.down_proj", "is no tensor of mixtral that holds the matrices of all experts")]
    [InlineData("gpt-oss", "q_proj", "mlp.experts.up_proj", "holds the matrices of all experts, as model.layers.0.mlp.experts.gate_up")]
    [InlineData("granitemoe-shared", "input_linear", "", "which holds the matrices of all experts: name it in target_parameters")]
    [InlineData("granitemoe-shared", "q_proj", "block_sparse_moe.input_linear.weight", "whose matrices are [out, in]")]
    public void What_is_not_supported_is_refused_by_name(string family, string modules, string parameter, string fault)
    {
        var config = s_stacks with
        {
            Targets = ModuleNames.Parse(modules),
            TargetParameters = parameter.Length > 0 ? [parameter] : [],
            RankPattern = [],
        };
        string message = Assert.Throws<UserErrorException>(() => GoldenCase.OfFamily(family).Model.Adapting(config)).Message;
        Assert.Contains(fault, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "DoRA")]
    [InlineData(false, "lora_dropout")]
    public void DoRA_and_dropout_of_experts_are_refused(bool dora, string what)
    {
        var config = s_stacks with { UsesDora = dora, Dropout = dora ? 0 : 0.1 };
        string message = Assert.Throws<UserErrorException>(() => GoldenCase.OfFamily("gpt-oss").Model.Adapting(config)).Message;
        Assert.Contains($"is of experts (model.layers.0.mlp.experts.gate_up_proj) and uses {what}", message, StringComparison.Ordinal);
        Assert.Contains(
            "muon cannot update base_model.model.model.layers.{layer}.mlp.experts",
            Optimizer.Muon.Fault(GoldenCase.OfFamily("gpt-oss").Model.Adapting(s_stacks)), StringComparison.Ordinal);
    }

    private static List<string> Names(ModelConfig model, int layer)
    {
        string prefix = $"base_model.model.model.layers.{layer}.";
        return
        [
            .. NamedParameter.All(model).Where(p => p.Name.StartsWith(prefix, StringComparison.Ordinal))
                .Select(p => $"{layer}.{p.Name[prefix.Length..]} [{string.Join(", ", p.Part.Shape)}]")
                .Order(StringComparer.Ordinal),
        ];
    }
}
