using System.Globalization;
using System.Text.Json;

namespace Dataflow.Model.Tests;

/// <summary>The shipped configs and the golden ones have the sizes that their tables and their makers say.</summary>
public class ModelsTests
{
    public static TheoryData<string> Shipped =>
        new(
            Directory
                .GetFiles(Path.Combine(Repository.Root, "models"), "*.json")
                .Select(f => Path.GetFileNameWithoutExtension(f)!)
                .Order(StringComparer.Ordinal)
        );

    public static TheoryData<string> GoldenCases => Repository.GoldenCases;

    private static ModelConfig Model(string name) => ModelConfigReader.Parse(Repository.Read("models", name + ".json"), name, name);

    [Fact]
    public void The_table_in_the_readme_is_the_files()
    {
        var rows = Repository.Read("models", "README.md").Split('\n')
            .Select(line => line.Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Where(cells => cells.Length == 10 && char.IsDigit(cells[1][0]))
            .ToDictionary(cells => cells[0], cells => string.Join(' ', cells[1..]));
        var files = Shipped
            .Select(row => Model(row.Data))
            .Where(m => m.Origin.Family is null)
            .ToDictionary(
                m => m.Name,
                m =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{m.ParameterCount:N0} {m.VocabSize} {m.ModelDim} {m.LayerCount} {m.HeadCount} {m.KvHeadCount} {m.HeadDim} "
                            + $"{m.FfnDim} {m.RopeTheta}"
                    )
            );
        Assert.Equal(files, rows);
    }

    /// <summary>Their counts are published ones.</summary>
    [Fact]
    public void The_table_of_models_by_name_is_the_files()
    {
        var rows = Repository.Read("docs", "models.md").Split('\n')
            .Select(line => line.Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            .Where(cells => cells.Length == 9 && char.IsDigit(cells[2][0]))
            .ToDictionary(cells => cells[0], cells => string.Join(' ', cells[1..]));
        var files = Shipped
            .Select(row => Model(row.Data))
            .Where(m => m.Origin.Family is not null)
            .ToDictionary(
                m => m.Name,
                m =>
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"{m.Origin.Family} {m.ParameterCount:N0} {m.LayerCount} {m.ModelDim} {m.HeadCount}/{m.KvHeadCount} {m.HeadDim} "
                            + $"{m.FfnDim} {m.VocabSize}"
                    )
            );
        Assert.Equal(files, rows);
    }

    [Theory]
    [InlineData("1b", 1_498_482_688, 60_821_504)]
    [InlineData("8b", 8_030_261_248, 218_112_000)]
    [InlineData("15b", 15_009_845_248, 218_112_000)]
    [InlineData("32b", 32_763_417_600, 487_598_080)]
    public void Published_models_have_their_published_sizes(string name, long parameters, long blockParameters)
    {
        var model = Model(name);
        Assert.Equal(parameters, model.ParameterCount);
        Assert.All(model.Layers, l => Assert.Equal(blockParameters, model.LayerParameterCount(l)));
    }

    [Fact]
    public void The_small_models_have_bytes_as_tokens_and_the_intended_size()
    {
        Assert.Equal(256, Model("nano").VocabSize);
        Assert.InRange(Model("nano").ParameterCount, 900_000, 1_100_000);
        Assert.Equal(256, Model("micro").VocabSize);
        Assert.InRange(Model("micro").ParameterCount, 3_000_000, 10_000_000);
    }

    [Theory, MemberData(nameof(Shipped))]
    public void A_shipped_model_is_named_as_its_file_and_counts_what_its_layouts_hold(string name)
    {
        var model = Model(name);
        Assert.Equal(name, model.Name);
        Assert.True(model.Origin.Family is not null || (model.RmsNormEps == 1e-5f && !model.TiedEmbedding && !model.QkNorm));
        Assert.Equal(model.ParameterCount, LaidOut(model));
    }

    [Theory, MemberData(nameof(GoldenCases))]
    public void A_golden_config_counts_the_parameters_that_pytorch_counted(string name)
    {
        var model = ModelConfigReader.Parse(Repository.Read("tests", "golden", name, "config.json"), name);
        using var expected = JsonDocument.Parse(Repository.Read("tests", "golden", name, "expected.json"));
        Assert.Equal(name, model.Name);
        Assert.Equal(expected.RootElement.GetProperty("parameters").GetInt64(), model.ParameterCount);
        Assert.Equal(model.ParameterCount, LaidOut(model));
        Assert.Equal(name.StartsWith("qwen3", StringComparison.Ordinal), model.QkNorm && model.TiedEmbedding);
    }

    [Fact]
    public void There_are_six_golden_cases() => Assert.Equal(6, GoldenCases.Count);

    private static long LaidOut(ModelConfig model) =>
        ParameterLayout.Embedding(model).Tensors.Sum(t => t.Count)
        + ParameterLayout.Head(model).Tensors.Sum(t => t.Count)
        + model.Kinds.Sum(k =>
            ParameterLayout.Block(model, k).Tensors.Where(t => !t.Name.IsBuffer()).Sum(t => t.Count));
}
