/** Comments of the protos by full name (`clarifai.api.V2.PostInputs`), for the served API description. */
export { comments } from '../gen/comments.ts';
