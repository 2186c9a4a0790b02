using System.Text.Json;
using System.Text.Json.Serialization;
using Dataflow.Model;

namespace Dataflow.Reports;

/// <summary>A model of a grid.</summary>
/// <param name="Name">As `dataflow` takes it.</param>
/// <param name="Parameters">How many it has.</param>
public sealed record FitModel(string Name, long Parameters);

/// <summary>A GPU of a grid.</summary>
/// <param name="Name">That of its profile.</param>
/// <param name="DeviceGib">What plans may take of its memory.</param>
public sealed record FitMachine(string Name, double DeviceGib);

/// <summary>
/// Whether models can be trained on GPUs and how fast, computed beforehand for all combinations of the lists: by model, then GPU, method,
/// sequence length and host memory.
/// </summary>
/// <param name="Note">What it was computed with.</param>
/// <param name="Models">The models.</param>
/// <param name="Machines">The GPUs.</param>
/// <param name="Methods">What is trained: full, LoRA, QLoRA.</param>
/// <param name="Seqlens">Tokens of a sequence, ascending.</param>
/// <param name="HostGib">Host memory, ascending.</param>
/// <param name="Cells">
/// One a combination, the last list's index running fastest: tokens a second, tokens of a step, device GiB, host GiB, and tokens a second
/// with 1 GiB more of device memory, with 1 GiB more of host memory, and on links twice as fast. Of what does not fit the least host GiB
/// alone, and nothing where no host memory would do.
/// </param>
public sealed record FitGrid(
    string Note,
    IReadOnlyList<FitModel> Models,
    IReadOnlyList<FitMachine> Machines,
    IReadOnlyList<string> Methods,
    IReadOnlyList<int> Seqlens,
    IReadOnlyList<int> HostGib,
    IReadOnlyList<double[]> Cells
)
{
    /// <summary>Figures of a cell that fits.</summary>
    public const int Figures = 7;

    private static readonly JsonSerializerOptions s_format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>As a file holds it.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_format) + "\n";

    /// <summary>The other way round.</summary>
    /// <param name="path">Where the text is from.</param>
    /// <param name="text">All of it.</param>
    /// <exception cref="UserErrorException">It is no grid.</exception>
    public static FitGrid Parse(string path, string text)
    {
        FitGrid? grid;
        try
        {
            grid = JsonSerializer.Deserialize<FitGrid>(text, s_format);
        }
        catch (JsonException e)
        {
            throw new UserErrorException($"{path} is no grid of `dataflow fit --grid`: {e.Message.Split(" Path:")[0]}");
        }

        int count = grid is null ? -1
            : grid.Models.Count * grid.Machines.Count * grid.Methods.Count * grid.Seqlens.Count * grid.HostGib.Count;
        return grid is not null && grid.Cells.Count == count && grid.Cells.All(c => c.Length is 0 or 1 or Figures)
            ? grid
            : throw new UserErrorException($"{path} is no grid of `dataflow fit --grid`: its cells are not those of its lists");
    }
}
