using Dataflow.Model;
using Dataflow.Text.Templates;
using Dataflow.Training;

namespace Dataflow;

/// <summary>Chat templates in files.</summary>
public static class ChatTemplates
{
    private static readonly Bytes s_most = new(64L << 20);

    /// <summary>The chat templates of a model's folder.</summary>
    /// <param name="folder">The folder, or hf:owner/name of a fetched model.</param>
    /// <exception cref="UserErrorException">There is no such folder, or it has no chat template.</exception>
    public static ModelTemplates InFolder(string folder)
    {
        string path = Hub.NameOf(folder) is null ? folder : Hub.Find(folder, HubSettings.FromEnvironment()).Folder;
        return Directory.Exists(path)
            ? ModelTemplates.Read(name =>
                Path.Combine(path, name) is var file && File.Exists(file) ? InputFile.ReadText(file, s_most) : null)
            : throw new UserErrorException($"{folder} is no folder; give a model's folder, or a template's file by --template");
    }

    /// <summary>The text of a template's file, with its line ends.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static string InFile(string path) => InputFile.ReadText(path, s_most);
}
