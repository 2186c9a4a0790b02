using Dataflow.Formats;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Models out to the files of other programs, and in from them.</summary>
public static class ModelConversion
{
    private const int MostFiles = 32;

    /// <summary>Makes a model's folder of a GGUF file.</summary>
    /// <param name="file">The file, or a part of one in several.</param>
    /// <param name="folder">Made if need be.</param>
    /// <param name="options">What was asked for.</param>
    /// <exception cref="UserErrorException">The file cannot be read or used, or the folder cannot be written.</exception>
    public static ModelWritten Import(string file, string folder, GgufImportOptions options) =>
        Work.Named($"import {file}", () => GgufImport.Write(file, folder, options));

    /// <summary>Writes a GGUF file or a folder.</summary>
    /// <exception cref="UserErrorException">There is no such model, or it cannot be written so.</exception>
    public static ModelWritten Export(ExportRequest request)
    {
        if (!request.IsGguf && request.Type is GgufType.Q8_0 or GgufType.Q4_0)
        {
            throw new UserErrorException(
                $"{request.Type} is a type of GGUF files, and {request.Destination} is to be a folder; give --out FILE.gguf, or F32, BF16 "
                    + "or F16");
        }

        if (request.IsGguf && request.Shard is not null)
        {
            throw new UserErrorException("--shard-size is of folders: a GGUF file holds all; leave it out");
        }

        var notes = new List<string>();
        using var source = SavedModel.Open(
            request.Source, request.Adapter is { } folder ? new AdapterOptions { Folder = folder } : null, request.BaseWeights, notes.Add);
        Refuse(request, source);
        var weights = request.Merge ? new MergedWeights(source.Weights) : source.Weights;
        var made = Work.Named($"export {request.Source}", () =>
            weights.Model.Adapter is not null ? ToAdapter(request, weights)
            : request.IsGguf ? GgufExport.Write(request.Destination, weights, source.Texts, request.Type ?? source.Type)
            : ToFolder(request, source, weights));
        return made with { Notes = [.. source.Notes, .. notes, .. made.Notes] };
    }

    private static ModelWritten ToFolder(ExportRequest request, SavedModel source, IWeightSource weights)
    {
        var options = new ExportOptions
        {
            Source = source.Form,
            Type = request.Type switch
            {
                null => null,
                GgufType.F16 => StoredType.F16,
                GgufType.BF16 => StoredType.BF16,
                _ => StoredType.F32,
            },
            Shard = request.Shard,
        };
        ModelExport.Write(request.Destination, weights, source.Parameters, options);
        return Written(request, weights);
    }

    private static ModelWritten ToAdapter(ExportRequest request, IWeightSource weights)
    {
        if (request.Type is not (null or GgufType.F32 or GgufType.BF16) || request.Shard is not null)
        {
            throw new UserErrorException("an adapter's folder has one file, of F32 or BF16; give one of these, or --merge");
        }

        AdapterExport.Write(
            request.Destination,
            weights,
            request.Type == GgufType.BF16 ? DType.BFloat16 : DType.Float32,
            weights.Model.Name);
        return Written(request, weights);
    }

    private static ModelWritten Written(ExportRequest request, IWeightSource weights)
    {
        var files = new DirectoryInfo(request.Destination).GetFiles().Where(f => !f.Name.StartsWith('.'))
            .OrderBy(f => f.Name, StringComparer.Ordinal).ToList();
        return new(
            weights.Model, new Bytes(files.Sum(f => f.Length)), [.. files.Take(MostFiles).Select(f => f.Name)], []);
    }

    private static void Refuse(ExportRequest request, SavedModel source)
    {
        bool isAdapted = source.Weights.Model.Adapter is not null;
        if (request.BaseWeights is { } stored && !request.Merge)
        {
            throw new UserErrorException(
                $"--base-weights {stored.Name()} is of models whose adapter is merged: what is written has the matrices' numbers as they "
                    + "are read from that type; give --merge, or leave it out"
            );
        }

        if (request.Merge && !isAdapted)
        {
            throw new UserErrorException($"{request.Source} has no adapter to merge; give one with --adapter, or leave --merge out");
        }

        if (request.IsGguf && isAdapted && !request.Merge)
        {
            throw new UserErrorException(
                $"{request.Source} has an adapter, which a GGUF file of the model cannot hold apart; give --merge, or a folder for the "
                    + "adapter alone");
        }

        string destination = RealPath.Of(request.Destination);
        if (source.Folders.FirstOrDefault(f => RealPath.Of(f) == destination) is { } read)
        {
            throw new UserErrorException($"{request.Destination} is the folder {read} that the export reads from; give another one");
        }

        string? there = request.IsGguf
            ? File.Exists(request.Destination) ? Path.GetFileName(request.Destination) : null
            : ExportFolder.Existing(request.Destination);
        if (!request.Overwrite && there is not null)
        {
            string found = request.IsGguf ? "is there already" : $"holds a model already ({there})";
            throw new UserErrorException(
                $"{request.Destination} {found}, which would be replaced; give another {(request.IsGguf ? "name" : "folder")}, or "
                    + "--overwrite");
        }
    }
}
