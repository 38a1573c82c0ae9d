export { Article, Category, Comment } from './entities/Article.ts';
export { Review } from './entities/Review.ts';
export { Tag } from './entities/Tag.ts';
