using System.Runtime.InteropServices;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>A folder with a step's tokens and what PyTorch made of them in float64, as expected.json and files of tensors say it.</summary>
public abstract class PyTorchCase
{
    /// <param name="folder">With expected.json.</param>
    /// <param name="model">Whose step it is, given what expected.json holds.</param>
    /// <param name="shape">Tokens of a row, and rows of the step; null: expected.json says them.</param>
    protected PyTorchCase(string folder, Func<JsonElement, ModelConfig> model, (int Seqlen, int Rows)? shape = null)
    {
        Folder = folder;
        Expected = JsonDocument.Parse(System.IO.File.ReadAllText(Path.Combine(folder, "expected.json"))).RootElement;
        (Seqlen, Rows) = shape ?? (Expected.GetProperty("seqlen").GetInt32(), Expected.GetProperty("sequences").GetInt32());
        Model = model(Expected);
    }

    /// <summary>Of the tokens and the results.</summary>
    public string Folder { get; }

    /// <summary>The folder's name.</summary>
    public string Name => Path.GetFileName(Folder);

    /// <summary>The config.</summary>
    public ModelConfig Model { get; protected init; }

    /// <summary>Tokens of a row.</summary>
    public int Seqlen { get; }

    /// <summary>Rows of the step.</summary>
    public int Rows { get; }

    /// <summary>Their numbers.</summary>
    public int[] AllRows => [.. Enumerable.Range(0, Rows)];

    /// <summary>Of the first step.</summary>
    public double Loss => Expected.GetProperty("loss").GetDouble();

    /// <summary>Before each of five steps.</summary>
    public double[] Losses => [.. Expected.GetProperty("losses_before_each_step").EnumerateArray().Select(l => l.GetDouble())];

    /// <summary>Of the five steps.</summary>
    public OptimizerSettings AdamW
    {
        get
        {
            var a = Expected.GetProperty("adamw");
            float Get(string key) => (float)a.GetProperty(key).GetDouble();
            return new OptimizerSettings(Get("lr"), Get("beta1"), Get("beta2"), Get("eps"), Get("weight_decay"));
        }
    }

    /// <summary>All that expected.json holds.</summary>
    protected JsonElement Expected { get; }

    /// <summary>PyTorch's own relative error of a tensor: "gradient_relative_l2" or "adamw_change_relative_l2".</summary>
    public double PyTorchError(string precision, string what, string tensor) =>
        Expected.GetProperty(precision).GetProperty(what).GetProperty("per_tensor").GetProperty(tensor).GetDouble();

    /// <summary>The case's own.</summary>
    public ITokenSource Tokens() => TokenSources.Open(Folder, Seqlen, Model.VocabSize);

    /// <summary>The tensors of one of the case's files.</summary>
    public Dictionary<string, float[]> File(string name)
    {
        using var file = SafetensorsFile.Open(Path.Combine(Folder, name));
        return file.Tensors.ToDictionary(t => t.Name, t =>
        {
            var values = new float[t.Count];
            t.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
            return values;
        });
    }
}
